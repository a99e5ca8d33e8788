"""Prices: fair probabilities, margin and ladder, for every profile. Pure: no clock, no I/O.

The sub-rooms import one way only, each from those to its right:

    pricer -> guards -> market -> profiles -> methods -> errors

- `methods`: the mathematics. Odds to fair probabilities and back; knows no profile and no market state.
- `profiles`: what a trading team configures, and which settings apply to which market at what time.
- `market`: one market's probabilities and prices, kept up to date as its books change.
- `guards`: checks that suspend a market whose prices may be wrong.
- `pricer`: the whole of it for every market and profile; what the engine calls.

Exported here: odds to fair probabilities, and fair probabilities to odds.
"""

from oddsengine.pricing.errors import MarginError, PricingError
from oddsengine.pricing.methods.margin import METHODS, fair_probabilities, quote_odds

__all__ = ["METHODS", "MarginError", "PricingError", "fair_probabilities", "quote_odds"]
