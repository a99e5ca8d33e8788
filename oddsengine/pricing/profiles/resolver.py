"""Which settings apply to which market now, and until when."""

from __future__ import annotations

from fnmatch import fnmatchcase
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from oddsengine.commands.ruling import Adjustment
from oddsengine.common.times.due_times import DueTimes
from oddsengine.domain.events import Event
from oddsengine.domain.feed_updates import MarketDefinition
from oddsengine.pricing.profiles.profile import Profile, ResolvedProfile, adjusted, resolve
from oddsengine.pricing.profiles.rules import MarketContext, brackets, minutes_until_next_bracket

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oddsengine.domain.events import Competition
    from oddsengine.domain.ids import MarketId


class _CachedResolution(NamedTuple):
    """The last resolution of a market's profiles. Keyed by its source, and by the identity of `definition` and `event`.

    An equal definition in a new object is resolved again: cheaper than comparing definitions at every update. `until_ms`
    (Unix milliseconds) is when other rules may match although neither has changed.
    """

    source: str
    definition: MarketDefinition
    event: Event | None
    resolved: tuple[ResolvedProfile, ...]
    until_ms: float


class _Adjusted(NamedTuple):
    """The commanded changes to a market, and the last resolution they were applied to, keyed by identity, with the outcome."""

    adjustments: tuple[Adjustment, ...]
    before: tuple[ResolvedProfile, ...]
    after: tuple[ResolvedProfile, ...]


def max_age_ms(resolved: Iterable[ResolvedProfile]) -> float:
    """Return how long a source may have been silent about a market: the strictest profile's limit applies to all."""
    return min((each.settings.max_age_s for each in resolved if each.settings.max_age_s), default=inf) * 1000


class ProfileResolver:
    """Resolves the profiles' rules once a market, and again only when something they depend on changes.

    Callers may key caches of their own by the identity of a result: equal contexts share one tuple.

    Args:
        profiles: in the order of every published `prices`.
        tiers: the competitions of each tier, by id or name, with the wildcards `*` and `?`.
    """

    def __init__(self, profiles: Iterable[Profile], tiers: Mapping[str, tuple[str, ...]]) -> None:
        self._profiles = tuple(profiles)
        self._tiers = tiers
        self._tier_of: dict[Competition, str] = {}
        rules = [rule for profile in self._profiles for rule in profile.rules]
        self._edges = brackets(rules)
        self._named_sources = {name for rule in rules for name in rule.sources}
        #: by context, with the time to the start replaced by its bracket
        self._by_context: dict[MarketContext, tuple[ResolvedProfile, ...]] = {}
        self._by_market: dict[MarketId, _CachedResolution] = {}
        #: when other rules apply to each of these
        self._due_times: DueTimes[MarketId] = DueTimes()
        self._clock_step_ms = 0
        #: outlives what is cached of the market
        self._adjusted: dict[MarketId, _Adjusted] = {}

    def adjust(self, market: MarketId, adjustments: tuple[Adjustment, ...]) -> None:
        """Apply what is commanded of a market, one entry a profile, from now on; nothing if that is empty."""
        self._by_market.pop(market, None)
        if adjustments:
            self._adjusted[market] = _Adjusted(adjustments, (), ())
        else:
            self._adjusted.pop(market, None)

    def follow_clock(self, step_ms: int) -> None:
        """Add to every time given from now on, before it is compared with a start: the clock was wrong by so much."""
        self._clock_step_ms = step_ms
        for market, cached in self._by_market.items():
            self._by_market[market] = cached._replace(until_ms=-inf)
            self._due_times.put(market, -inf)

    def resolve(self, source: str, definition: MarketDefinition, event: Event | None, now_ms: int) -> tuple[ResolvedProfile, ...]:
        """Return what applies to a market, one entry a profile; the same object until something it depends on changes.

        Args:
            source: the source that prices the market.
            definition: the market.
            event: its event, None if no source has described it.
            now_ms: Unix milliseconds.
        """
        cached = self._by_market.get(definition.id)
        if (
            cached is not None
            and cached.definition is definition
            and cached.event is event
            and cached.source == source
            and now_ms < cached.until_ms
        ):
            return cached.resolved
        minutes = _minutes_to_start(definition, event, now_ms + self._clock_step_ms)
        resolved = self._resolve(source, definition, event, minutes)
        if self._adjusted:
            resolved = self._with_adjustments(definition.id, resolved)
        until_ms = now_ms + 60_000 * minutes_until_next_bracket(self._edges, minutes)
        self._by_market[definition.id] = _CachedResolution(source, definition, event, resolved, until_ms)
        self._due_times.put(definition.id, until_ms)
        return resolved

    def is_current(self, market: MarketId, now_ms: int) -> bool:
        """Check whether no other rules apply to a market by now than when it was last resolved, only because time has passed."""
        cached = self._by_market.get(market)
        return cached is not None and now_ms < cached.until_ms

    def resolve_members(
        self, sources: Iterable[str], definition: MarketDefinition, event: Event | None, now_ms: int
    ) -> dict[str, tuple[ResolvedProfile, ...]]:
        """Return what applies to a market at those of several sources that some rule names."""
        if not self._named_sources:
            return {}
        named = [each for each in sources if not self._named_sources.isdisjoint((each, each.partition(".")[0]))]
        return {source: self.resolve_uncached(source, definition, event, now_ms) for source in named}

    def _with_adjustments(self, market: MarketId, resolved: tuple[ResolvedProfile, ...]) -> tuple[ResolvedProfile, ...]:
        known = self._adjusted.get(market)
        if known is None:
            return resolved
        if known.before is not resolved:
            after = tuple(adjusted(each, adjustment) for each, adjustment in zip(resolved, known.adjustments, strict=True))
            known = self._adjusted[market] = _Adjusted(known.adjustments, resolved, after)
        return known.after

    def resolve_uncached(
        self, source: str, definition: MarketDefinition, event: Event | None, now_ms: int
    ) -> tuple[ResolvedProfile, ...]:
        """Return what would apply to a market if another source priced it; what is cached of the market stays."""
        return self._resolve(source, definition, event, _minutes_to_start(definition, event, now_ms + self._clock_step_ms))

    def _resolve(
        self, source: str, definition: MarketDefinition, event: Event | None, minutes: float | None
    ) -> tuple[ResolvedProfile, ...]:
        bracket = None if minutes is None else next((edge for edge in reversed(self._edges) if minutes <= edge), inf)
        context = MarketContext(
            sport=event.sport if event is not None else "",
            competition=event.competition.id if event is not None else "",
            tier=self.tier(event.competition) if event is not None else "",
            type=definition.type,
            period=definition.period,
            source=source,
            in_play=definition.in_play,
            minutes_to_start=bracket,
            competition_name=event.competition.name if event is not None else "",
        )
        resolved = self._by_context.get(context)
        if resolved is None:
            resolved = tuple(resolve(profile, context) for profile in self._profiles)
            self._by_context[context] = resolved
        return resolved

    def tier(self, competition: Competition) -> str:
        """Return the first tier that includes a competition, an empty string if none does."""
        known = self._tier_of.get(competition)
        if known is None:
            names = (competition.id, competition.name)
            known = self._tier_of[competition] = next(
                (
                    tier
                    for tier, patterns in self._tiers.items()
                    if any(fnmatchcase(name, pattern) for pattern in patterns for name in names)
                ),
                "",
            )
        return known

    def due(self, now_ms: int) -> list[MarketId]:
        """Return the markets to which other rules may apply by now, only because time has passed."""
        if not self._edges:
            return []
        due = [market for market in self._due_times.take(now_ms) if market in self._by_market]
        for market in due:
            # It is due until its rules are resolved again.
            self._due_times.put(market, -inf)
        return due

    def forget(self, market: MarketId) -> None:
        """Drop the cached resolution of a market."""
        self._by_market.pop(market, None)
        self._due_times.forget(market)


def _minutes_to_start(definition: MarketDefinition, event: Event | None, now_ms: int) -> float | None:
    """Return how far ahead a market's start is, its own or else its event's; None where neither is known."""
    start_ms = definition.start_ms
    if start_ms is None and event is not None:
        start_ms = event.start_ms
    return None if start_ms is None else (start_ms - now_ms) / 60_000
