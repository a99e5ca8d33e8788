"""Selects the sources that price a market: the first healthy one in order of priority, or a consensus of all healthy ones.

A source is healthy for a market if it is live and its market is open. A market falls back to another source at once, but returns
to a preferred one only after that has been healthy for a while, so that the price does not flap with an unstable source. A
suspension by the first source suspends the market even if others are open, unless the rule disables that. With no healthy source
the market is suspended, with a reason.

The state of an event is shared: a source that offers a market as before the start while another one has it in play is not
healthy, and where one has closed the market no other is. A market closed with a result stays closed (`final_results`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.domain.feed_updates import MarketDefinition
from oddsengine.sourcing.final_results import FinalResults, has_result
from oddsengine.sourcing.source_book import SourceBook, SourceMarket
from oddsengine.sourcing.source_health import IN_PLAY_ELSEWHERE, Candidate, Known, judge, refusal
from oddsengine.sourcing.sourcing_rule import SourcingRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from oddsengine.domain.events import Event
    from oddsengine.domain.ids import EventId, MarketId

#: Reason of a suspended market whose consensus has too few healthy sources.
TOO_FEW_SOURCES: Final = "too_few_sources"


class ChosenSource(NamedTuple):
    """The market selected and its definition; `reason` is why it must be suspended all the same, None if it may be open."""

    market: SourceMarket
    definition: MarketDefinition
    reason: str | None


class ConsensusInput(NamedTuple):
    """The sources of a consensus, most preferred first, each with its definition and weight."""

    members: list[tuple[SourceMarket, MarketDefinition, float]]
    rule: SourcingRule


_NO_EVENTS: Final[Mapping[EventId, Event]] = {}


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
        self._results = FinalResults()

    def use(self, rules: Sequence[SourcingRule]) -> None:
        """Select by other rules from now on. The current source of each market stays what it is returned from."""
        self._rules = (SourcingRule(), *rules)

    def choose(
        self,
        market: MarketId,
        candidates: Iterable[tuple[SourceBook, SourceMarket]],
        event: Event | None,
        now_ms: int,
        *,
        begun: Mapping[EventId, Event] = _NO_EVENTS,
        remember: bool = True,
    ) -> ChosenSource | ConsensusInput | None:
        """Select among the sources of a market; return None if no source that may price it has a definition.

        Args:
            market: the market's id.
            candidates: the sources with their markets, in the config's order.
            event: the market's event, for the rules.
            now_ms: current time, Unix milliseconds.
            begun: the events that a source knows to have begun.
            remember: whether to store the choice as the current source, and a result; False for explanations.
        """
        known = [(book, each, each.definition) for book, each in candidates if each.definition is not None]
        if remember and self._return_at_ms:
            self._return_at_ms.pop(market, None)
        if len(known) == 1 and len(self._rules) == 1 and not self._results.has_closing(market):
            # By far the most frequent case; the others lead to the same.
            book, held, definition = known[0]
            if remember and definition.status == "closed" and has_result(definition):
                self._results.close(market, held, definition)
            return ChosenSource(held, definition, refusal(book, definition, self._rules[0], begun))
        return self._choose_by_rules(market, known, event, now_ms, begun, remember=remember)

    def _choose_by_rules(
        self,
        market: MarketId,
        known: list[Known],
        event: Event | None,
        now_ms: int,
        begun: Mapping[EventId, Event],
        *,
        remember: bool,
    ) -> ChosenSource | ConsensusInput | None:
        is_final = market in self._results
        if remember and (is_final or len(known) > 1 or self._results.is_closed(market)):
            self._results.note_closing(market, known)
        if is_final:
            closed = self._results.standing(market, known, remember=remember)
            if closed is not None:
                return ChosenSource(closed.market, closed.definition, None)
        if not known:
            return None
        rule, is_closed = self._rule(event, known), self._results.is_closed(market)
        choice = self._choose(market, judge(known, rule, begun, is_closed=is_closed), rule, now_ms, remember=remember)
        if remember and type(choice) is ChosenSource and has_result(choice.definition):
            self._results.close(market, choice.market, choice.definition)
        return choice

    def _choose(
        self, market: MarketId, known: list[Candidate], rule: SourcingRule, now_ms: int, *, remember: bool
    ) -> ChosenSource | ConsensusInput | None:
        if rule.sources:
            ranked = [(rank, each) for each in known if (rank := rule.rank(each.book.source)) is not None]
            known = [each for _, each in sorted(ranked, key=lambda pair: pair[0])]
        if not known:
            return None
        first, current = known[0], self._current.get(market)
        if rule.mode == "priority" and first.is_healthy and (current is None or current == first.book.source):
            # By far the most frequent case; those below lead to the same.
            if remember and current is None and len(known) > 1:
                self._current[market] = first.book.source
            return ChosenSource(first.market, first.definition, None)
        deciding = _deciding_source(known, rule, current)
        if deciding is not None:
            return ChosenSource(deciding.market, deciding.definition, deciding.reason)
        healthy = [each for each in known if each.is_healthy]
        if rule.mode == "consensus":
            if len(healthy) < rule.min_sources:
                is_behind = any(each.reason == IN_PLAY_ELSEWHERE for each in known)
                reason = IN_PLAY_ELSEWHERE if is_behind else TOO_FEW_SOURCES
                return ChosenSource(healthy[0].market, healthy[0].definition, reason)
            return ConsensusInput([(each.market, each.definition, rule.weight(each.book.source)) for each in healthy], rule)
        chosen, return_ms = self._preferred(market, healthy, rule, now_ms)
        if remember:
            self._current[market] = chosen.book.source
            if return_ms is not None:
                self._return_at_ms[market] = return_ms
        return ChosenSource(chosen.market, chosen.definition, None)

    def due(self, now_ms: int) -> list[MarketId]:
        """Return the markets to be selected again because a preferred source has been healthy for `hold_s`."""
        return [market for market, due_ms in self._return_at_ms.items() if due_ms <= now_ms]

    def has_closing(self, market: MarketId) -> bool:
        """Check whether a market has a result, or some source has closed it with one."""
        return self._results.has_closing(market)

    def closed_by(self, market: MarketId) -> Iterable[str]:
        """Return the source that closed a market with a result; nothing where there is none."""
        return self._results.closed_by(market)

    def retract(self, market: MarketId, source: str) -> None:
        """Drop a source's result of a market that was matched to the source in error."""
        self._results.retract(market, source)

    def forget_source(self, source: str) -> None:
        """Forget which markets a source was the current one of: if it comes back, it is not what they return from."""
        self._current = {market: current for market, current in self._current.items() if current != source}

    def forget(self, market: MarketId) -> None:
        """Remove the state of a market."""
        self._current.pop(market, None)
        self._return_at_ms.pop(market, None)
        self._results.forget(market)

    def _rule(self, event: Event | None, known: list[Known]) -> SourcingRule:
        if len(self._rules) == 1:
            return self._rules[0]
        in_play = any(definition.in_play for book, _, definition in known if book.health == "live")
        return next(rule for rule in reversed(self._rules) if rule.matches(event, in_play=in_play))

    def _preferred(
        self, market: MarketId, healthy: list[Candidate], rule: SourcingRule, now_ms: int
    ) -> tuple[Candidate, int | None]:
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


def _deciding_source(known: list[Candidate], rule: SourcingRule, current: str | None) -> Candidate | None:
    """Return the source that decides alone.

    That is the only one; the first live or current one if it has closed the market with a result; the first if it has
    suspended the market; or, if none is healthy, the first live one.
    """
    if len(known) == 1 and rule.mode == "priority":
        return known[0]
    first_live: Candidate | None = None
    for each in known:
        if each.book.health != "live":
            continue
        first_live = first_live or each
        if has_result(each.definition) and (each is first_live or each.book.source == current):
            return each
    first = known[0]
    if rule.primary_suspends and first.is_live and not first.is_healthy:
        return first
    if any(each.is_healthy for each in known):
        return None
    return first_live or first
