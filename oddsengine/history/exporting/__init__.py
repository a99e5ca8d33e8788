"""Exports what was published as Parquet, for those who analyse it elsewhere."""
