"""Sourcing."""
