"""The log of commands in Redis."""
