"""Which sources price a market: the first healthy one in order of priority, or all healthy ones together.

A source is healthy for a market if it is live and offers it open. A market falls back at once, and returns to a better source
only after that has been healthy for a while, so that a source that comes and goes does not take the price with it. What the
first source of all says is suspended is suspended, whoever else is open, unless the rule says otherwise. Where nobody is
healthy the market is suspended, with the reason.
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

#: Why a market with a consensus rule is suspended when too few sources are healthy.
TOO_FEW_SOURCES = "too_few_sources"


class SourcingRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How some markets choose their sources; the first fields say which markets, and the last rule that matches holds.

    `mode` `priority` is the first healthy source, `consensus` the weighted median of all healthy ones, at least `min_sources` of
    them, without those that name other selections than the first or are further than `outlier` (in probability) from it.
    `sources`: those that may price, most preferred first; a feed's name stands for all its sources; empty: all, in the config's
    order. `hold_s`: how long a better source must have been healthy before a market returns to it. `primary_suspends`: whether
    the first source's word that a market is suspended holds over the others'.
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
        """Tell whether it holds for the markets of an event."""
        if self.in_play is not None and self.in_play != in_play:
            return False
        if self.sport is not None and (event is None or event.sport not in _names(self.sport)):
            return False
        if self.competition is None:
            return True
        return event is not None and not {event.competition.id, event.competition.name}.isdisjoint(_names(self.competition))

    def rank(self, source: str) -> int | None:
        """Give a source's place in the order of preference; None if it may not price."""
        if not self.sources:
            return 0
        for place, name in enumerate(self.sources):
            if source == name or source.startswith(f"{name}."):
                return place
        return None

    def weight(self, source: str) -> float:
        """Give a source's weight in a consensus."""
        return self.weights.get(source) or self.weights.get(source.partition(".")[0]) or 1.0


class ChosenSource(NamedTuple):
    """The market chosen and its definition; `reason` says why it must stay suspended all the same, None if it need not."""

    market: SourceMarket
    definition: MarketDefinition
    reason: str | None


class ConsensusInput(NamedTuple):
    """The sources that price a market together, most preferred first, each with its weight."""

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
    """Chooses, market by market, and remembers who prices each.

    Args:
        rules: the config's `selection`; later ones hold over earlier ones.
    """

    def __init__(self, rules: Sequence[SourcingRule] = ()) -> None:
        self._rules = (SourcingRule(), *rules)
        #: market -> the source that prices it; kept where there is more than one to choose from
        self._current: dict[MarketId, str] = {}
        #: market -> when a better source will have been healthy for long enough, Unix milliseconds
        self._returns: dict[MarketId, int] = {}

    def choose(
        self,
        market: MarketId,
        candidates: Iterable[tuple[SourceBook, SourceMarket]],
        event: Event | None,
        now_ms: int,
        *,
        remember: bool = True,
    ) -> ChosenSource | ConsensusInput | None:
        """Choose among the sources that name a market; None if none that may price it has said what it is.

        Args:
            market: which.
            candidates: source and market, in the config's order.
            event: its event, for the rules.
            now_ms: Unix milliseconds.
            remember: whether the choice is made for good.
        """
        given = [_Candidate(book, each, each.definition) for book, each in candidates if each.definition is not None]
        if remember:
            self._returns.pop(market, None)
        if not given:
            return None
        rule = self._rule(event, given)
        if rule.sources:
            ranked = [(rank, each) for each in given if (rank := rule.rank(each.book.source)) is not None]
            given = [each for _, each in sorted(ranked, key=lambda pair: pair[0])]
        speaker = _speaker(given, rule)
        if speaker is not None or not given:
            return None if speaker is None else _said(speaker)
        healthy = [each for each in given if each.is_healthy]
        if rule.mode == "consensus":
            if len(healthy) < rule.min_sources:
                return ChosenSource(healthy[0].market, healthy[0].definition, TOO_FEW_SOURCES)
            return ConsensusInput([(each.market, each.definition, rule.weight(each.book.source)) for each in healthy], rule)
        chosen, returns_ms = self._preferred(market, healthy, rule, now_ms)
        if remember:
            self._current[market] = chosen.book.source
            if returns_ms is not None:
                self._returns[market] = returns_ms
        return _said(chosen)

    def due(self, now_ms: int) -> list[MarketId]:
        """List the markets whose better source has been healthy for long enough by now."""
        return [market for market, due_ms in self._returns.items() if due_ms <= now_ms]

    def forget(self, market: MarketId) -> None:
        """Forget a market that is gone."""
        self._current.pop(market, None)
        self._returns.pop(market, None)

    def _rule(self, event: Event | None, given: list[_Candidate]) -> SourcingRule:
        if len(self._rules) == 1:
            return self._rules[0]
        in_play = any(each.definition.in_play for each in given if each.is_live)
        return next(rule for rule in reversed(self._rules) if rule.matches(event, in_play=in_play))

    def _preferred(
        self, market: MarketId, healthy: list[_Candidate], rule: SourcingRule, now_ms: int
    ) -> tuple[_Candidate, int | None]:
        """Choose the best that has been healthy for long enough, else stay with the present one; at once if there is none.

        Gives also when a better one will have been (Unix milliseconds), None if there is no better one.
        """
        current = self._current.get(market)
        if all(each.book.source != current for each in healthy):
            return healthy[0], None
        returns: list[int] = []
        for each in healthy:
            returns_ms = round(each.healthy_since_ms + rule.hold_s * 1000)
            if each.book.source == current or returns_ms <= now_ms:
                return each, min(returns, default=None)
            returns.append(returns_ms)
        return healthy[0], None


def _speaker(given: list[_Candidate], rule: SourcingRule) -> _Candidate | None:
    """Give who alone speaks for a market: its only source, the first one if that has suspended it, or where nobody is healthy."""
    if not given or (len(given) == 1 and rule.mode == "priority"):
        return given[0] if given else None
    first = given[0]
    if rule.primary_suspends and first.is_live and not first.is_healthy:
        return first
    if any(each.is_healthy for each in given):
        return None
    return next((each for each in given if each.is_live), first)


def _said(candidate: _Candidate) -> ChosenSource:
    health = candidate.book.health
    return ChosenSource(candidate.market, candidate.definition, None if health == "live" else f"source_{health}")


def _names(given: str | tuple[str, ...]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else given
