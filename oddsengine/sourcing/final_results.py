"""Markets closed with a result, which is final: only the source that closed a market can reopen it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.domain.feed_updates import MarketDefinition
from oddsengine.sourcing.source_book import SourceMarket

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.ids import MarketId
    from oddsengine.sourcing.source_book import SourceBook

#: The statuses of selections that have a result.
RESULTED: Final = frozenset({"winner", "loser", "void", "placed"})


class ClosedMarket(NamedTuple):
    """A closed market as its source last had it."""

    market: SourceMarket
    definition: MarketDefinition


class FinalResults:
    """The markets that have been closed with a result, by their deciding source or by others."""

    def __init__(self) -> None:
        self._closed: dict[MarketId, ClosedMarket] = {}
        #: market -> the sources that have closed it with a result; a provider may withdraw what it has settled
        self._closing: dict[MarketId, set[str]] = {}

    def __contains__(self, market: MarketId) -> bool:
        """Check whether a market has a result."""
        return market in self._closed

    def close(self, market: MarketId, held: SourceMarket, definition: MarketDefinition) -> None:
        """Store a result."""
        self._closed[market] = ClosedMarket(held, definition)

    def note_closing(self, market: MarketId, known: Sequence[tuple[SourceBook, SourceMarket, MarketDefinition]]) -> None:
        """Keep which live sources have closed a market with a result, deciding or not, until they have it open again.

        Args:
            market: the market.
            known: the sources that have it now, with its definitions.
        """
        for book, _, definition in known:
            if book.health != "live":
                continue
            if has_result(definition):
                self._closing.setdefault(market, set()).add(book.source)
            elif definition.status != "closed" and market in self._closing:
                self._closing[market].discard(book.source)
                if not self._closing[market]:
                    del self._closing[market]

    def is_closed(self, market: MarketId) -> bool:
        """Check whether some source has closed a market with a result and not opened it since."""
        return market in self._closing

    def has_closing(self, market: MarketId) -> bool:
        """Check whether a market has a result, or some source has closed it with one."""
        return market in self._closed or market in self._closing

    def standing(
        self, market: MarketId, known: Sequence[tuple[SourceBook, SourceMarket, MarketDefinition]], *, remember: bool
    ) -> ClosedMarket | None:
        """Return a closed market; None where there is no result, or the source that closed the market has reopened it.

        A source that is not live, or has withdrawn the market, can't reopen it.

        Args:
            market: the market.
            known: the sources that have it now, with its definitions.
            remember: whether to store a revised result, or the reopening.
        """
        closed = self._closed.get(market)
        if closed is None:
            return None
        for book, held, definition in known:
            if book.source == closed.market.source and book.health == "live":
                if definition.status != "closed":
                    if remember:
                        del self._closed[market]
                    return None
                if definition is not closed.definition:
                    closed = ClosedMarket(held, definition)
                    if remember:
                        self._closed[market] = closed
                break
        return closed

    def closed_by(self, market: MarketId) -> tuple[str, ...]:
        """Return the source of a market's result; nothing where there is none."""
        closed = self._closed.get(market)
        return () if closed is None else (closed.market.source,)

    def retract(self, market: MarketId, source: str) -> None:
        """Drop the result of a market if it is a source's."""
        closing = self._closing.get(market)
        if closing is not None:
            closing.discard(source)
            if not closing:
                del self._closing[market]
        closed = self._closed.get(market)
        if closed is not None and closed.market.source == source:
            del self._closed[market]

    def forget(self, market: MarketId) -> None:
        """Drop the result of a market that is gone."""
        self._closed.pop(market, None)
        self._closing.pop(market, None)


def has_result(definition: MarketDefinition) -> bool:
    """Check whether a market is closed with a result: some selection has one, or none can win any more."""
    if definition.status != "closed":
        return False
    statuses = {selection.status for selection in definition.selections}
    return not statuses.isdisjoint(RESULTED) or statuses == {"removed"}
