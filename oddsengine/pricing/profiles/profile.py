"""A price profile: the named set of rules (of a brand, a tenant, a tier) by which markets are priced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from oddsengine.domain.ladders import LADDERS, Ladder
from oddsengine.pricing.market.rounding import Rounding
from oddsengine.pricing.methods.fair import ExchangeLimits
from oddsengine.pricing.methods.margin import Method
from oddsengine.pricing.profiles.rules import (
    BookSum,
    MaxAge,
    MaxMove,
    MaxOdds,
    MinMargin,
    MinMove,
    MinOdds,
    PoolLimit,
    Rule,
    Shift,
    Skew,
    SourceBookSum,
    SpikeLimit,
    Tolerance,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.pricing.profiles.rules import MarketContext


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one profile prices; docs/configuration.md says the same to operators.

    What is believed: `devig` removes a bookmaker's margin from its prices; where some of them are missing the margin is
    taken to be what `source_overround` says this source is used to ask (0: such a market has no fair price). `exchange`
    says how far an order book is believed. The lines of an event's totals or handicaps that contradict each other are
    pooled, none by more than `pool_limit` (probability); one that would have to move further is suspended.

    What is asked: `book_sum` is the sum of inverse odds to aim at, per winner (1.05 is a margin of 5 %), `method` spreads
    it over the selections. `skew` is the exponent put on fair probabilities before (over 1 shortens favourites and
    lengthens longshots), `shift` makes selections likelier by a share (`{home = 0.02}`); both leave the book sum as it is.

    What is offered: prices are rounded onto `ladder`, `down`, or `balanced` to come near the book sum asked for; per
    winner it stays within `tolerance` of that (0: however far) and never falls under 1 + `min_margin`. A selection quoted
    shorter than `min_odds` has no price, one quoted longer than `max_odds` gets those. A price that would move by no
    more than the share `min_move` stays, one that would move by more than the share `max_move` goes there in steps (0:
    at once).

    What is suspended: a market of which its source has said nothing for `max_age_s` seconds (0: however long); one where a
    fair probability has changed by more than the share `jump_limit` of itself at once, until another update or source
    confirms it (0: any change is believed); with `require_complete_book` one in which some selection has no fair price; with
    `suspend` every one. `rules` refine all that for some markets.
    """

    devig: Method = "shin"
    source_overround: SourceBookSum = 0.0
    book_sum: BookSum = 1.05
    min_margin: MinMargin = 0.0
    method: Method = "multiplicative"
    ladder: str = "betfair"
    rounding: Rounding = "down"
    tolerance: Tolerance = 0.0
    min_odds: MinOdds = 1.01
    max_odds: MaxOdds = 1000.0
    exchange: ExchangeLimits = ExchangeLimits()
    skew: Skew = 1.0
    shift: dict[str, Shift] = {}
    min_move: MinMove = 0.0
    max_move: MaxMove = 0.0
    max_age_s: MaxAge = 0.0
    jump_limit: SpikeLimit = 0.0
    pool_limit: PoolLimit = 0.02
    require_complete_book: bool = False
    suspend: bool = False
    rules: tuple[Rule, ...] = ()

    #: ladders of the operator's own, beside those we know
    _own_ladders: dict[str, Ladder] = {}

    def __post_init__(self) -> None:
        ladders = {*LADDERS, *self._own_ladders}
        for ladder in (self.ladder, *self._ruled("ladder")):
            if ladder not in ladders:
                raise ValueError(f"no ladder {ladder!r}; the ladders are {', '.join(sorted(ladders))}")
        # Any rules may come together on one market: no combination of theirs may contradict itself.
        least = max([self.min_odds, *self._ruled("min_odds")])
        greatest = min([self.max_odds, *self._ruled("max_odds")])
        if least >= greatest:
            raise ValueError(f"min_odds {least:g} is not under max_odds {greatest:g}")
        if any(0.0 < known < 1.0 for known in (self.source_overround, *self._ruled("source_overround"))):
            raise ValueError("source_overround is 1 or more, or 0 where it is not known")
        asked = min([self.book_sum, *self._ruled("book_sum")])
        floor = 1.0 + max([self.min_margin, *self._ruled("min_margin")])
        if asked < floor:
            raise ValueError(f"book_sum {asked:g} is under the floor of 1 + min_margin, {floor:g}")

    def _ruled(self, name: str) -> Iterator[Any]:
        return (value for rule in self.rules if (value := getattr(rule, name)) is not None)

    @property
    def is_tilted(self) -> bool:
        """Whether fair probabilities are skewed or shifted."""
        return self.skew != 1.0 or bool(self.shift)

    @property
    def ladder_ticks(self) -> Ladder:
        """The ladder itself."""
        return self._own_ladders.get(self.ladder) or LADDERS[self.ladder]

    @property
    def rounds_plainly(self) -> bool:
        """Whether each price follows from its own quote alone."""
        return self.rounding == "down" and not (self.tolerance or self.min_move or self.max_move)

    @property
    def prices_each_alone(self) -> bool:
        """Whether each price follows from the selection's own fair odds: no book of such profiles can be beaten by another."""
        return self.method == "multiplicative" and self.rounds_plainly and not self.is_tilted


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
