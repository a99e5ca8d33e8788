"""What the history takes and how fast it answers."""
