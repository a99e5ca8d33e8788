"""Betfair."""
