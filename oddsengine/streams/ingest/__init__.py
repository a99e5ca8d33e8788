"""Ingest streams: the updates of one feed, from the process that is connected to its provider to all engines."""
