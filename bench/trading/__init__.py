"""Waits of traders."""
