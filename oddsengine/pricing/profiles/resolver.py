"""Which rules hold for which market now, and until when."""

from __future__ import annotations

from fnmatch import fnmatchcase
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from oddsengine.domain.events import Event
from oddsengine.domain.feed_updates import MarketDefinition
from oddsengine.pricing.profiles.profile import Profile, Resolved, resolve
from oddsengine.pricing.profiles.rules import MarketContext, brackets, minutes_until_next_bracket

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oddsengine.domain.events import Competition
    from oddsengine.domain.ids import MarketId


class _Situation(NamedTuple):
    """What rules were resolved from, what they resolved to, and until when (Unix ms) that holds if nothing else changes."""

    definition: MarketDefinition
    event: Event | None
    resolved: tuple[Resolved, ...]
    until_ms: float


class RuleBook:
    """The profiles' rules, worked out for each market once and anew only when what they rest on changes.

    Args:
        profiles: in the order of every published `prices`.
        tiers: the competitions of each tier, by id or name; `*` and `?` stand for what they do in file names.
    """

    def __init__(self, profiles: Iterable[Profile], tiers: Mapping[str, tuple[str, ...]]) -> None:
        self._profiles = tuple(profiles)
        self._tiers = tiers
        self._tier_of: dict[Competition, str] = {}
        self._edges = brackets([rule for profile in self._profiles for rule in profile.rules])
        #: context, time to the start replaced by its bracket -> what holds for every profile; one object a context
        self._resolved: dict[MarketContext, tuple[Resolved, ...]] = {}
        self._situations: dict[MarketId, _Situation] = {}

    def resolved(self, source: str, definition: MarketDefinition, event: Event | None, now_ms: int) -> tuple[Resolved, ...]:
        """Give what holds for a market, one entry a profile; the same object until something it rests on changes."""
        situation = self._situations.get(definition.id)
        if (
            situation is not None
            and situation.definition is definition
            and situation.event is event
            and now_ms < situation.until_ms
        ):
            return situation.resolved
        start_ms = event.start_ms if event is not None else None
        minutes = None if start_ms is None else (start_ms - now_ms) / 60_000
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
        )
        resolved = self._resolved.get(context)
        if resolved is None:
            resolved = tuple(resolve(profile, context) for profile in self._profiles)
            self._resolved[context] = resolved
        until_ms = now_ms + 60_000 * minutes_until_next_bracket(self._edges, minutes)
        self._situations[definition.id] = _Situation(definition, event, resolved, until_ms)
        return resolved

    def tier(self, competition: Competition) -> str:
        """Name the first tier that a competition is in, empty if it is in none."""
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
        """List the markets for which another rule may hold by now, only because time has passed."""
        if not self._edges:
            return []
        return [market for market, situation in self._situations.items() if situation.until_ms <= now_ms]

    def forget(self, market: MarketId) -> None:
        """Drop what is remembered of a market."""
        self._situations.pop(market, None)
