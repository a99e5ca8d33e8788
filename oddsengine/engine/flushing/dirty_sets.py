"""The work of the next flush of each shard."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from oddsengine.domain.ids import shard_of
from oddsengine.engine.flushing.backlog import event_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oddsengine.domain.ids import EventId, MarketId
    from oddsengine.engine.flushing.backlog import Backlog
    from oddsengine.sourcing.source_selector import ChosenSource


class DirtySets:
    """The markets to be priced, the events to be described and those to be withdrawn, by shard.

    Args:
        shards: how many there are.
    """

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self.markets: list[set[MarketId]] = [set() for _ in range(shards)]
        self.events: list[set[EventId]] = [set() for _ in range(shards)]
        #: events that a source no longer describes as these
        self.leaving: list[set[EventId]] = [set() for _ in range(shards)]
        #: the source that prices a market, where it is its only one: until it is marked for more than moved prices
        self.chosen: dict[MarketId, ChosenSource] = {}

    def __bool__(self) -> bool:
        return any(self.markets) or any(self.events) or any(self.leaving)

    def mark(self, market: MarketId) -> None:
        """Mark a market to be priced in the next flush, whatever has changed."""
        self.chosen.pop(market, None)
        self.mark_moved(market)

    def mark_moved(self, market: MarketId) -> None:
        """Mark a market of which nothing has changed but the prices of a source."""
        if self._shards == 1:
            self.markets[0].add(market)
        else:
            self.markets[self.shard_of_market(market)].add(market)

    def mark_event(self, event: EventId) -> None:
        """Mark an event to be described in the next flush."""
        self.events[shard_of(event, self._shards)].add(event)

    def leave(self, event: EventId) -> None:
        """Withdraw an event with the next flush if no source describes it any more; else publish it as the others have it."""
        self.leaving[shard_of(event, self._shards)].add(event)

    def shard_of_market(self, market: MarketId) -> int:
        """Return the shard that publishes a market."""
        return shard_of(market.partition("/")[0], self._shards)  # type: ignore[arg-type]

    # The order of a set differs between processes; published bytes may not.

    def take_events(self, shard: int) -> list[EventId]:
        """Return the events of a shard that are to be described, and clear them."""
        events, self.events[shard] = self.events[shard], set()
        return sorted(events)

    def take_leaving(self, shard: int) -> list[EventId]:
        """Return the events of a shard that are to be withdrawn, and clear them."""
        events, self.leaving[shard] = self.leaving[shard], set()
        return sorted(events)

    def take_markets(self, shard: int) -> set[MarketId]:
        """Return the markets of a shard that are to be priced, in no order, and clear them."""
        markets, self.markets[shard] = self.markets[shard], set()
        return markets

    def add(self, shard: int, leaving: set[EventId], events: set[EventId], markets: set[MarketId]) -> None:
        """Mark all of these again."""
        self.leaving[shard] |= leaving
        self.events[shard] |= events
        self.markets[shard] |= markets

    def count(self, shard: int) -> int:
        """Return how many markets and events of a shard are dirty."""
        return len(self.markets[shard]) + len(self.events[shard]) + len(self.leaving[shard])

    @contextmanager
    def noting_commanded(self, backlogs: Sequence[Backlog]) -> Iterator[None]:
        """Note in the backlogs which events are marked while the context is open: a command waits for them."""
        before = self.markets, self.events, self.leaving
        self.markets = [set() for _ in range(self._shards)]
        self.events = [set() for _ in range(self._shards)]
        self.leaving = [set() for _ in range(self._shards)]
        try:
            yield
        finally:
            for shard, backlog in enumerate(backlogs):
                markets, events, leaving = self.markets[shard], self.events[shard], self.leaving[shard]
                backlog.commanded |= {event_of(market) for market in markets} | events | leaving
                before[0][shard].update(markets)
                before[1][shard].update(events)
                before[2][shard].update(leaving)
            self.markets, self.events, self.leaving = before
