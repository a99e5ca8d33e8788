"""Feeds that several processes share: who is connected to which provider, and what an engine receives of it."""
