"""Sources: the current state of each, the matching of their events (`matching`), and which of them price a market.

Pure: updates in, state out; no clock, no I/O, and no opinion about a price.
"""
