"""Providers on loopback: real servers that speak a provider's protocol over one simulated truth, and misbehave on demand.

Each provider's own server stands in its package as `emulator.py`; here is what they share.
"""
