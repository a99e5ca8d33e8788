"""Price profiles, the rules that refine them, and which settings apply to a market at a given time.

Nothing here computes a price or holds the state of a market.
"""
