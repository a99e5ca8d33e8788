"""What engines and feeders report of their feeds and of doubtful pairs, in Redis, for the consoles of all gateways."""
