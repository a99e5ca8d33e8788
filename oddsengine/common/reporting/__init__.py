"""Reports of faults: one log line for each, however often it happens."""
