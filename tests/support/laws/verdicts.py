"""Laws of verdicts that follow from earlier ones too: of the guard across markets, and on which line is the main one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from oddsengine.offer.main_lines import KEPT_SUSPENDED_MS, MIN_LEAD, imbalance, is_line
from oddsengine.pricing.guards.score_grid import ScoreGuard

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet

    from oddsengine.domain.changes import MarketRecord
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import MarketId
    from oddsengine.engine.pipeline import Pipeline
    from oddsengine.offer.owned_offer import OwnedOffer

#: As many programs as it takes.
UNLIMITED: Final = 1e6


class _Published:
    """A market as it is on offer."""

    def __init__(self, definition: MarketDefinition, record: MarketRecord) -> None:
        self.definition = definition
        self.is_open = True
        self._record = record

    def prices(self, key: str) -> tuple[int | None, ...]:
        selection = self._record.selections.get(key)
        return () if selection is None else selection.prices


def beaten(pipeline: Pipeline) -> AbstractSet[MarketId]:
    """Return the open markets that could be beaten together, as a guard sees them that knows nothing of before."""
    guard = ScoreGuard(UNLIMITED)
    for offer in pipeline.offers:
        for market, record in offer.markets.items():
            book = pipeline.pricer._books.get(market)
            # A person answers for forced prices.
            if record.state.status == "open" and book is not None and not book.is_forced:
                event = pipeline._events.current.get(record.identity.event)
                guard.review(_Published(book.definition, record), event, ())
    guard.check(0)
    return guard.refused


def in_doubt(*pipelines: Pipeline) -> set[MarketId]:
    """Return the markets that the guard of one of some pipelines refuses: which arbitrage it finds depends on those of before."""
    return {market for each in pipelines if each.pricer.scores is not None for market in each.pricer.scores.refused}


def is_waiting(pipeline: Pipeline) -> bool:
    """Check whether the guard across markets has no budget to decide something."""
    return pipeline.pricer.scores is not None and bool(pipeline.pricer.scores._waiting)


class MainLineWatch:
    """Checks the main lines of an offer after each commit, whatever has changed."""

    def __init__(self) -> None:
        #: since when the main line of some lines takes no bets while others do, Unix milliseconds
        self._since: dict[Any, int] = {}

    def problems(self, offer: OwnedOffer, now_ms: int) -> list[Any]:
        """Return the lines that are not marked as they should be."""
        found: list[Any] = []
        by_key: dict[Any, list[MarketRecord]] = {}
        for record in offer.markets.values():
            identity = record.identity
            if is_line(identity):
                by_key.setdefault((identity.event, identity.type, identity.period, identity.unit), []).append(record)
            elif record.state.main_line is not None:
                found.append((record.id, "is no line"))
        for key in [key for key in self._since if key not in by_key]:
            del self._since[key]
        for key, lines in by_key.items():
            if problem := self._problem(key, lines, now_ms):
                found.append(
                    (key, problem, [(each.id, each.state.status, each.state.main_line, imbalance(each)) for each in lines])
                )
        return found

    def _problem(self, key: Any, lines: Iterable[MarketRecord], now_ms: int) -> str | None:
        marked = [each for each in lines if each.state.main_line]
        distances = {each.id: distance for each in lines if (distance := imbalance(each)) is not None}
        since_ms = self._since.pop(key, None)
        if any(each.state.main_line is None for each in lines) or len(marked) > 1:
            return "not marked once"
        if not distances:
            return None
        if not marked:
            return "none is marked"
        own = distances.get(marked[0].id)
        if own is not None:
            return "another one is clearly nearer" if own - min(distances.values()) >= MIN_LEAD else None
        self._since[key] = since_ms if since_ms is not None else now_ms
        is_suspended = marked[0].state.status == "suspended"
        return "kept for too long" if not is_suspended or now_ms - self._since[key] >= KEPT_SUSPENDED_MS else None
