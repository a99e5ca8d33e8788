"""A price profile: the named set of rules (of a brand, a tenant, a tier) by which markets are priced."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from oddsengine.markets.ladders import LADDERS, Ladder
from oddsengine.pricing.fair import ExchangeLimits
from oddsengine.pricing.margin import Method
from oddsengine.pricing.rules import BookSum, GreatestOdds, LeastOdds, MaxAge, Rule, Shift, Skew, SpikeLimit

if TYPE_CHECKING:
    from oddsengine.pricing.rules import MarketContext


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one profile prices.

    `devig` removes a bookmaker's margin from its prices. `book_sum` is the sum of inverse odds to aim at, per winner (1.05
    is a margin of 5 %), `method` spreads it over the selections; `ladder` names the odds that may be offered, and a price
    is always rounded down onto it, so that the book sum is never under the target; `least_odds` and `greatest_odds` are
    decimal: a selection quoted shorter than the least has no price, one quoted longer than the greatest gets the
    greatest. `skew` is the exponent put on fair probabilities before the margin (over 1 shortens favourites and lengthens
    longshots), `shift` makes selections likelier by a share (`{home = 0.02}`); both leave the book sum as it is. A market
    of which its source has said nothing for `max_age_s` seconds is suspended (0: however long). A fair probability that
    changes by more than the share `spike_limit` of itself at once suspends the market until another update confirms it
    (0: any change is believed). `rules` refine all that for some markets.
    """

    devig: Method = "shin"
    book_sum: BookSum = 1.05
    method: Method = "multiplicative"
    ladder: str = "betfair"
    least_odds: LeastOdds = 1.01
    greatest_odds: GreatestOdds = 1000.0
    exchange: ExchangeLimits = ExchangeLimits()
    skew: Skew = 1.0
    shift: dict[str, Shift] = {}
    max_age_s: MaxAge = 0.0
    spike_limit: SpikeLimit = 0.0
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        for ladder in (self.ladder, *(rule.ladder for rule in self.rules if rule.ladder is not None)):
            if ladder not in LADDERS:
                raise ValueError(f"no ladder {ladder!r}; the ladders are {', '.join(sorted(LADDERS))}")
        # Any rules may come together on one market: no combination of theirs may contradict itself.
        least = max([self.least_odds, *(rule.least_odds for rule in self.rules if rule.least_odds is not None)])
        greatest = min([self.greatest_odds, *(rule.greatest_odds for rule in self.rules if rule.greatest_odds is not None)])
        if least >= greatest:
            raise ValueError(f"least_odds {least:g} is not under greatest_odds {greatest:g}")

    @property
    def is_tilted(self) -> bool:
        """Whether fair probabilities are skewed or shifted."""
        return self.skew != 1.0 or bool(self.shift)

    @property
    def ladder_ticks(self) -> Ladder:
        """The ladder itself."""
        return LADDERS[self.ladder]


class Resolved(NamedTuple):
    """What holds for one market: the settings, and the places of the rules that made them, in order."""

    settings: Profile
    places: tuple[str, ...]


def resolve(profile: Profile, context: MarketContext) -> Resolved:
    """Apply a profile's rules that match, in their order."""
    places: list[str] = []
    for rule in profile.rules:
        if rule.matches(context):
            profile = rule.refine(profile)
            places.append(rule.place)
    return Resolved(profile, tuple(places))
