"""Reports of engines and feeders on their feeds and on doubtful pairs, in Redis, for the consoles of all gateways."""
