"""What stream entries become in the database. Pure."""
