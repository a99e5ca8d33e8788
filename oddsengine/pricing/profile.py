"""A price profile: the named set of rules (of a brand, a tenant, a tier) by which markets are priced."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from oddsengine.markets.ladders import LADDERS, Ladder
from oddsengine.pricing.fair import ExchangeLimits
from oddsengine.pricing.margin import Method


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one profile prices.

    `devig` removes a bookmaker's margin from its prices. `book_sum` is the sum of inverse odds to aim at, per winner (1.05
    is a margin of 5 %), `method` spreads it over the selections; `ladder` names the odds that
    may be offered, and a price is always rounded down onto it, so that the book sum is never under the target;
    `least_odds` and `greatest_odds` are decimal: a selection quoted shorter than the least has no price, one quoted
    longer than the greatest gets the greatest.
    """

    devig: Method = "shin"
    book_sum: Annotated[float, Meta(ge=1.0, le=3.0)] = 1.05
    method: Method = "multiplicative"
    ladder: str = "betfair"
    least_odds: Annotated[float, Meta(ge=1.001)] = 1.01
    greatest_odds: Annotated[float, Meta(gt=1.0)] = 1000.0
    exchange: ExchangeLimits = ExchangeLimits()

    def __post_init__(self) -> None:
        if self.ladder not in LADDERS:
            raise ValueError(f"no ladder {self.ladder!r}; the ladders are {', '.join(sorted(LADDERS))}")
        if self.least_odds >= self.greatest_odds:
            raise ValueError(f"least_odds {self.least_odds:g} is not under greatest_odds {self.greatest_odds:g}")

    @property
    def ladder_ticks(self) -> Ladder:
        """The ladder itself."""
        return LADDERS[self.ladder]
