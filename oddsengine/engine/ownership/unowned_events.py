"""The events of sources that other engines publish: kept current, and forgotten once they have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.ids import EventId, shard_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from oddsengine.domain.ids import MarketId
    from oddsengine.engine.sources.market_directory import MarketDirectory
    from oddsengine.sourcing.source_book import SourceBook, SourceMarket


class UnownedEvents:
    """The events of shards that other engines own.

    Args:
        books: the sources.
        directory: which markets they quote.
        quoting: returns the sources that quote a market, with their books of it.
    """

    def __init__(
        self,
        books: Mapping[str, SourceBook],
        directory: MarketDirectory,
        quoting: Callable[[MarketId], Iterable[tuple[SourceBook, SourceMarket]]],
    ) -> None:
        self._books = books
        self._directory = directory
        self._quoting = quoting
        #: since when an event has had no market to bet on, Unix milliseconds
        self._since: dict[EventId, int] = {}

    def by_event(self, shards: AbstractSet[int], count: int) -> dict[EventId, set[MarketId]]:
        """Return the events of some of a number of shards that a source describes, with the markets that are quoted."""
        events: dict[EventId, set[MarketId]] = {
            event: set() for book in self._books.values() for event in book.events if shard_of(event, count) in shards
        }
        for source in self._books:
            for market in self._directory.markets_of(source).values():
                event = EventId(market.partition("/")[0])
                if event in events or shard_of(event, count) in shards:
                    events.setdefault(event, set()).add(market)
        return events

    def take_ended(
        self, shards: AbstractSet[int], count: int, now_ms: int, keep_ms: int
    ) -> Iterator[tuple[EventId, AbstractSet[MarketId]]]:
        """Yield the events to forget, with their markets, which are removed from the sources' books.

        Args:
            shards: the shards that other engines own.
            count: the number of all shards.
            now_ms: Unix milliseconds.
            keep_ms: how long an event without a market to bet on is kept, in milliseconds.
        """
        events = self.by_event(shards, count)
        self._since = {event: since for event, since in self._since.items() if event in events}
        for event, markets in events.items():
            if any(
                held.definition is None or held.definition.status != "closed"
                for market in markets
                for _, held in self._quoting(market)
            ):
                self._since.pop(event, None)
            elif now_ms - self._since.setdefault(event, now_ms) >= keep_ms:
                for market in markets:
                    for source, source_id in self._directory.sources_of(market).items():
                        self._books[source].markets.pop(source_id, None)
                yield event, markets
