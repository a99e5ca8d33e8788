"""Prices: fair probabilities, margin, ladder, per profile. Pure: no clock, no I/O.

The two functions here are the room's public face: odds to fair probabilities, and fair probabilities to odds.
"""

from oddsengine.pricing.errors import MarginError, PricingError
from oddsengine.pricing.methods.margin import METHODS, fair_probabilities, quote_odds

__all__ = ["METHODS", "MarginError", "PricingError", "fair_probabilities", "quote_odds"]
