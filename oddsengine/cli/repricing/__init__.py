"""`oddsengine reprice`."""
