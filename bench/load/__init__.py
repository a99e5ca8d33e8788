"""Processes that a scenario runs: the system under test, load generators, reference servers."""
