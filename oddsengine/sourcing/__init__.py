"""Sources: what each of them says now, which events of several are one (`matching`), and which of them price a market.

Pure: updates in, state out; no clock, no I/O, and no opinion about a price.
"""
