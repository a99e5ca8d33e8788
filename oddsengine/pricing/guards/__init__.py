"""Checks that suspend a market whose prices may be wrong.

A guard reads what `market` computed and keeps its own state; it never changes a price.
"""
