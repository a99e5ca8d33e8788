"""Rows, the table and plot made of them, and progress on stderr."""
