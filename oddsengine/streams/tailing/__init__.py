"""Reading every entry of a shard from a position that the reader keeps, for those who must miss none."""
