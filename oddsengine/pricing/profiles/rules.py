"""Rules: settings that apply to some markets only.

A profile has settings and a list of rules. A rule matches on any of sport, competition, tier, market type, period, source,
in play or not, and time to the start; it sets any of the profile's settings. Later rules override earlier ones.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import msgspec
from msgspec import Meta

from oddsengine.domain.taxonomy import MarketType
from oddsengine.pricing.methods.margin import Devig, Method
from oddsengine.pricing.profiles.parameters import (
    BetDelay,
    BookSum,
    JumpLimit,
    Limit,
    MaxAge,
    MaxMove,
    MaxOdds,
    MaxSourceOverround,
    MinMargin,
    MinMove,
    MinOdds,
    MinSourceOverround,
    PoolLimit,
    Rounding,
    Shift,
    Skew,
    SourceOverround,
    Tolerance,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Names = str | tuple[str, ...] | None

#: The fields of a rule that set a field of the same name in a profile.
PROFILE_SETTINGS: Final = (
    "devig",
    "source_overround",
    "min_source_overround",
    "max_source_overround",
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
    "bound_by_exchanges",
    "suspend",
    "limit",
    "bet_delay_s",
)
#: The fields of a rule that set a field of the same name in a profile's `exchange` (`methods.fair.ExchangeLimits`).
EXCHANGE_SETTINGS: Final = ("max_spread", "min_size", "min_depth", "last_traded", "last_traded_max_age_s", "normalise")


class MarketContext(NamedTuple):
    """The properties of a market that a rule can match on.

    `competition` is its id and `competition_name` its name: a rule may name either. `minutes_to_start` is None where no start is
    known, negative after the start.
    """

    sport: str
    competition: str
    tier: str
    type: str
    period: str | None
    source: str
    in_play: bool
    minutes_to_start: float | None
    competition_name: str = ""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule: the fields up to `starts_after_min` say which markets it matches, the others what it sets for them.

    Names are one name or a list of them: of a competition its id or its name; that of a feed as `source` means all of its
    bookmakers.
    `starts_within_min` and `starts_after_min` are minutes to the start. `_place` is
    where the rule is written, `file:line`.
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

    devig: Devig | None = None
    source_overround: SourceOverround | None = None
    min_source_overround: MinSourceOverround | None = None
    max_source_overround: MaxSourceOverround | None = None
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
    jump_limit: JumpLimit | None = None
    pool_limit: PoolLimit | None = None
    require_complete_book: bool | None = None
    bound_by_exchanges: bool | None = None
    suspend: bool | None = None
    limit: Limit | None = None
    bet_delay_s: BetDelay | None = None
    max_spread: Annotated[float, Meta(ge=0)] | None = None
    min_size: Annotated[float, Meta(ge=0)] | None = None
    min_depth: Annotated[float, Meta(ge=0)] | None = None
    last_traded: bool | None = None
    last_traded_max_age_s: Annotated[float, Meta(gt=0, le=86_400)] | None = None
    normalise: Method | None = None

    _place: str = ""

    def __post_init__(self) -> None:
        settings = (*PROFILE_SETTINGS, *EXCHANGE_SETTINGS)
        if all(getattr(self, name) is None for name in settings):
            raise ValueError(f"the rule sets nothing; it can set {', '.join(settings)}")

    @property
    def place(self) -> str:
        """The place where the rule is written, `file:line`."""
        return self._place

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources, or their feeds, that the rule is for by name."""
        return (self.source,) if isinstance(self.source, str) else self.source or ()

    def names_type(self, kind: MarketType) -> bool:
        """Check whether the rule is for markets of a type by name."""
        return self.type is not None and _includes(self.type, kind)

    def matches(self, context: MarketContext) -> bool:
        """Check whether the rule applies to a market. A market with no known start matches no limit on the time to it."""
        minutes = context.minutes_to_start
        return (
            _includes(self.sport, context.sport)
            and (_includes(self.competition, context.competition) or _includes(self.competition, context.competition_name))
            and _includes(self.tier, context.tier)
            and _includes(self.type, context.type)
            and _includes(self.period, context.period)
            and (_includes(self.source, context.source) or _includes(self.source, context.source.partition(".")[0]))
            and (self.in_play is None or self.in_play == context.in_play)
            and (self.starts_within_min is None or (minutes is not None and minutes <= self.starts_within_min))
            and (self.starts_after_min is None or (minutes is not None and minutes > self.starts_after_min))
        )


def brackets(rules: Sequence[Rule]) -> list[float]:
    """Return the minutes to the start at which some rule starts or stops matching, largest first."""
    edges = {edge for rule in rules for edge in (rule.starts_within_min, rule.starts_after_min) if edge is not None}
    return sorted(edges, reverse=True)


def minutes_until_next_bracket(edges: Sequence[float], minutes_to_start: float | None) -> float:
    """Return the minutes until other rules may match; infinity if the passage of time changes nothing any more."""
    if minutes_to_start is None:
        return inf
    return min((minutes_to_start - edge for edge in edges if minutes_to_start > edge), default=inf)


def _includes(names: str | tuple[str, ...] | None, name: str | None) -> bool:
    return names is None or name == names or (isinstance(names, tuple) and name in names)
