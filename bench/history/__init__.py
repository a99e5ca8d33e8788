"""Costs and speed of the history."""
