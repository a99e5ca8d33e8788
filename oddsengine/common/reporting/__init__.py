"""What is said of faults: each once, however often it happens."""
