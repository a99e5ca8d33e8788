"""Rules: what a trading team sets for some markets and not for others.

A profile has settings and a list of rules. A rule matches on any of sport, competition, tier, market type, period,
source, in play or not, and time to the start; it sets any of the profile's settings. Later rules refine earlier ones.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated, NamedTuple

import msgspec
from msgspec import Meta

from oddsengine.domain.taxonomy import MarketType
from oddsengine.pricing.market.rounding import Rounding
from oddsengine.pricing.methods.margin import Method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.pricing.profiles.profile import Profile

Names = str | tuple[str, ...] | None
BookSum = Annotated[float, Meta(ge=1.0, le=3.0)]
MinOdds = Annotated[float, Meta(ge=1.001)]
MaxOdds = Annotated[float, Meta(gt=1.0)]

MinMargin = Annotated[float, Meta(ge=0.0, le=1.0)]
Tolerance = Annotated[float, Meta(ge=0.0, le=1.0)]
Skew = Annotated[float, Meta(ge=0.5, le=2.0)]
Shift = Annotated[float, Meta(ge=-0.5, le=0.5)]
MinMove = Annotated[float, Meta(ge=0.0, le=0.5)]
MaxMove = Annotated[float, Meta(ge=0.0, le=10.0)]
MaxAge = Annotated[float, Meta(ge=0)]
SpikeLimit = Annotated[float, Meta(ge=0)]
PoolLimit = Annotated[float, Meta(ge=0.0, le=0.5)]
SourceBookSum = Annotated[float, Meta(ge=0.0, le=2.0)]

#: What a rule sets of a profile, and of how far an exchange is believed (`pricing.fair.ExchangeLimits`).
_SETTINGS = (
    "devig",
    "source_overround",
    "book_sum",
    "min_margin",
    "method",
    "ladder",
    "rounding",
    "tolerance",
    "min_odds",
    "max_odds",
    "skew",
    "shift",
    "min_move",
    "max_move",
    "max_age_s",
    "jump_limit",
    "pool_limit",
    "require_complete_book",
    "suspend",
)
_LIMITS = ("max_spread", "min_size", "min_depth", "last_traded", "normalise")


class MarketContext(NamedTuple):
    """What of a market a rule can match on; `minutes_to_start` is None where no start is known, negative after it."""

    sport: str
    competition: str
    tier: str
    type: str
    period: str | None
    source: str
    in_play: bool
    minutes_to_start: float | None


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule: the first fields say which markets, the others what is set for them.

    A name or a list of names; `starts_within_min` and `starts_after_min` are minutes to the start. `_place` is where the
    rule stands, `file:line`.
    """

    sport: Names = None
    competition: Names = None
    tier: Names = None
    type: MarketType | tuple[MarketType, ...] | None = None
    period: Names = None
    source: Names = None
    in_play: bool | None = None
    starts_within_min: float | None = None
    starts_after_min: float | None = None

    devig: Method | None = None
    source_overround: SourceBookSum | None = None
    book_sum: BookSum | None = None
    min_margin: MinMargin | None = None
    method: Method | None = None
    ladder: str | None = None
    rounding: Rounding | None = None
    tolerance: Tolerance | None = None
    min_odds: MinOdds | None = None
    max_odds: MaxOdds | None = None
    skew: Skew | None = None
    shift: dict[str, Shift] | None = None
    min_move: MinMove | None = None
    max_move: MaxMove | None = None
    max_age_s: MaxAge | None = None
    jump_limit: SpikeLimit | None = None
    pool_limit: PoolLimit | None = None
    require_complete_book: bool | None = None
    suspend: bool | None = None
    max_spread: Annotated[float, Meta(ge=0)] | None = None
    min_size: Annotated[float, Meta(ge=0)] | None = None
    min_depth: Annotated[float, Meta(ge=0)] | None = None
    last_traded: bool | None = None
    normalise: Method | None = None

    _place: str = ""

    def __post_init__(self) -> None:
        if all(getattr(self, name) is None for name in (*_SETTINGS, *_LIMITS)):
            raise ValueError(f"the rule sets nothing; it can set {', '.join((*_SETTINGS, *_LIMITS))}")

    @property
    def place(self) -> str:
        """Where the rule stands, `file:line`."""
        return self._place

    def matches(self, context: MarketContext) -> bool:
        """Tell whether a market is one of those it is for; one with no known start is never near or far from it."""
        minutes = context.minutes_to_start
        return (
            _names(self.sport, context.sport)
            and _names(self.competition, context.competition)
            and _names(self.tier, context.tier)
            and _names(self.type, context.type)
            and _names(self.period, context.period)
            and _names(self.source, context.source)
            and (self.in_play is None or self.in_play == context.in_play)
            and (self.starts_within_min is None or (minutes is not None and minutes <= self.starts_within_min))
            and (self.starts_after_min is None or (minutes is not None and minutes > self.starts_after_min))
        )

    def refine(self, profile: Profile) -> Profile:
        """Put what the rule sets over a profile's settings."""
        changes = {name: value for name in _SETTINGS if (value := getattr(self, name)) is not None}
        limits = {name: value for name in _LIMITS if (value := getattr(self, name)) is not None}
        if limits:
            changes["exchange"] = msgspec.structs.replace(profile.exchange, **limits)
        return msgspec.structs.replace(profile, **changes)


def brackets(rules: Sequence[Rule]) -> list[float]:
    """List the minutes to the start at which some rule begins or ceases to match, the furthest first."""
    edges = {edge for rule in rules for edge in (rule.starts_within_min, rule.starts_after_min) if edge is not None}
    return sorted(edges, reverse=True)


def minutes_until_next_bracket(edges: Sequence[float], minutes_to_start: float | None) -> float:
    """Tell in how many minutes another rule may match; infinity if time changes nothing any more."""
    if minutes_to_start is None:
        return inf
    return min((minutes_to_start - edge for edge in edges if minutes_to_start > edge), default=inf)


def _names(wanted: str | tuple[str, ...] | None, name: str | None) -> bool:
    return wanted is None or name == wanted or (isinstance(wanted, tuple) and name in wanted)
