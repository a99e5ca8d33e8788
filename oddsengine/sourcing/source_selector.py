"""Selects the sources that price a market: the first healthy one in order of priority, or a consensus of all healthy ones.

A source is healthy for a market if it is live and its market is open. A market falls back to another source at once, but returns
to a preferred one only after that has been healthy for a while, so that the price does not flap with an unstable source. A
suspension by the first source suspends the market even if others are open, unless the rule disables that. With no healthy source
the market is suspended, with a reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from oddsengine.domain.feed_updates import MarketDefinition
from oddsengine.sourcing.source_book import SourceBook, SourceMarket

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oddsengine.domain.events import Event
    from oddsengine.domain.ids import MarketId

#: Reason of a suspended market whose consensus has too few healthy sources.
TOO_FEW_SOURCES = "too_few_sources"


class SourcingRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How some markets select their sources. `sport`, `competition` and `in_play` say which; the last matching rule applies.

    `mode` `priority` takes the first healthy source, `consensus` the weighted median of all healthy ones, at least `min_sources`
    of them, without those that have other selections than the first or differ from the median by more than `outlier` (in
    probability). `sources`: those that may price, most preferred first; a feed's name means all its sources; empty means all, in
    the config's order. `hold_s`: how long a preferred source must be healthy before a market returns to it. `primary_suspends`:
    whether a suspension by the first source suspends the market even if others are open.
    """

    sport: str | tuple[str, ...] | None = None
    competition: str | tuple[str, ...] | None = None
    in_play: bool | None = None
    mode: Literal["priority", "consensus"] = "priority"
    sources: tuple[str, ...] = ()
    weights: dict[str, Annotated[float, Meta(gt=0)]] = {}
    min_sources: Annotated[int, Meta(ge=1)] = 2
    outlier: Annotated[float, Meta(gt=0, le=1)] = 0.05
    hold_s: Annotated[float, Meta(ge=0)] = 30.0
    primary_suspends: bool = True

    def matches(self, event: Event | None, *, in_play: bool) -> bool:
        """Check whether the rule applies to the markets of an event."""
        if self.in_play is not None and self.in_play != in_play:
            return False
        if self.sport is not None and (event is None or event.sport not in _names(self.sport)):
            return False
        if self.competition is None:
            return True
        return event is not None and not {event.competition.id, event.competition.name}.isdisjoint(_names(self.competition))

    def rank(self, source: str) -> int | None:
        """Return a source's rank, 0 for the most preferred; None if it may not price."""
        if not self.sources:
            return 0
        for rank, name in enumerate(self.sources):
            if source == name or source.startswith(f"{name}."):
                return rank
        return None

    def weight(self, source: str) -> float:
        """Return a source's weight in a consensus."""
        return self.weights.get(source) or self.weights.get(source.partition(".")[0]) or 1.0


class ChosenSource(NamedTuple):
    """The market selected and its definition; `reason` is why it must be suspended all the same, None if it may be open."""

    market: SourceMarket
    definition: MarketDefinition
    reason: str | None


class ConsensusInput(NamedTuple):
    """The sources of a consensus, most preferred first, each with its definition and weight."""

    members: list[tuple[SourceMarket, MarketDefinition, float]]
    rule: SourcingRule


class _Candidate(NamedTuple):
    book: SourceBook
    market: SourceMarket
    definition: MarketDefinition

    @property
    def is_live(self) -> bool:
        return self.book.health == "live"

    @property
    def is_healthy(self) -> bool:
        return self.book.health == "live" and self.definition.status == "open"

    @property
    def healthy_since_ms(self) -> int:
        return max(self.book.live_since_ms, self.market.open_since_ms)


class SourceSelector:
    """Selects the sources of each market and keeps the current one, to return from a fallback only after a while.

    Args:
        rules: the config's `[[sourcing]]` entries; later ones override earlier ones.
    """

    def __init__(self, rules: Sequence[SourcingRule] = ()) -> None:
        self._rules = (SourcingRule(), *rules)
        #: market -> its current source, where there are several
        self._current: dict[MarketId, str] = {}
        #: market -> when a preferred source will have been healthy for `hold_s`, Unix milliseconds
        self._return_at_ms: dict[MarketId, int] = {}

    def choose(
        self,
        market: MarketId,
        candidates: Iterable[tuple[SourceBook, SourceMarket]],
        event: Event | None,
        now_ms: int,
        *,
        remember: bool = True,
    ) -> ChosenSource | ConsensusInput | None:
        """Select among the sources of a market; return None if no source that may price it has a definition.

        Args:
            market: the market's id.
            candidates: the sources with their markets, in the config's order.
            event: the market's event, for the rules.
            now_ms: current time, Unix milliseconds.
            remember: whether to store the choice as the current source; False for explanations.
        """
        known = [_Candidate(book, each, each.definition) for book, each in candidates if each.definition is not None]
        if remember:
            self._return_at_ms.pop(market, None)
        if not known:
            return None
        rule = self._rule(event, known)
        if rule.sources:
            ranked = [(rank, each) for each in known if (rank := rule.rank(each.book.source)) is not None]
            known = [each for _, each in sorted(ranked, key=lambda pair: pair[0])]
        deciding = _deciding_source(known, rule)
        if deciding is not None or not known:
            return None if deciding is None else _as_chosen(deciding)
        healthy = [each for each in known if each.is_healthy]
        if rule.mode == "consensus":
            if len(healthy) < rule.min_sources:
                return ChosenSource(healthy[0].market, healthy[0].definition, TOO_FEW_SOURCES)
            return ConsensusInput([(each.market, each.definition, rule.weight(each.book.source)) for each in healthy], rule)
        chosen, return_ms = self._preferred(market, healthy, rule, now_ms)
        if remember:
            self._current[market] = chosen.book.source
            if return_ms is not None:
                self._return_at_ms[market] = return_ms
        return _as_chosen(chosen)

    def due(self, now_ms: int) -> list[MarketId]:
        """Return the markets to be selected again because a preferred source has been healthy for `hold_s`."""
        return [market for market, due_ms in self._return_at_ms.items() if due_ms <= now_ms]

    def forget(self, market: MarketId) -> None:
        """Remove the state of a market."""
        self._current.pop(market, None)
        self._return_at_ms.pop(market, None)

    def _rule(self, event: Event | None, known: list[_Candidate]) -> SourcingRule:
        if len(self._rules) == 1:
            return self._rules[0]
        in_play = any(each.definition.in_play for each in known if each.is_live)
        return next(rule for rule in reversed(self._rules) if rule.matches(event, in_play=in_play))

    def _preferred(
        self, market: MarketId, healthy: list[_Candidate], rule: SourcingRule, now_ms: int
    ) -> tuple[_Candidate, int | None]:
        """Return the first source that is the current one or has been healthy for `hold_s`; the first if none is current.

        Also return when a preferred one will have been healthy for that long (Unix milliseconds), None if there is none.
        """
        current = self._current.get(market)
        if all(each.book.source != current for each in healthy):
            return healthy[0], None
        returns: list[int] = []
        for each in healthy:
            return_ms = round(each.healthy_since_ms + rule.hold_s * 1000)
            if each.book.source == current or return_ms <= now_ms:
                return each, min(returns, default=None)
            returns.append(return_ms)
        return healthy[0], None


def _deciding_source(known: list[_Candidate], rule: SourcingRule) -> _Candidate | None:
    """Return the source that decides alone: the only one, the first if it has suspended the market, or one if none is healthy."""
    if not known or (len(known) == 1 and rule.mode == "priority"):
        return known[0] if known else None
    first = known[0]
    if rule.primary_suspends and first.is_live and not first.is_healthy:
        return first
    if any(each.is_healthy for each in known):
        return None
    return next((each for each in known if each.is_live), first)


def _as_chosen(candidate: _Candidate) -> ChosenSource:
    health = candidate.book.health
    return ChosenSource(candidate.market, candidate.definition, None if health == "live" else f"source_{health}")


def _names(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names
