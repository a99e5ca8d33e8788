"""The pricing of one market: its probabilities, its prices by profile, its line ladder and its consensus.

`reference` computes the prices of a market from scratch; `market_book` keeps them up to date at the cost of what changed.
Property tests hold the two equal. Whether a price may be published is for `guards` to decide, beyond the limits that
rounding itself keeps.
"""
