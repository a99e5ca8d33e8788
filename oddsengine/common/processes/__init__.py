"""Signals of this process, and what cleans up after it."""
