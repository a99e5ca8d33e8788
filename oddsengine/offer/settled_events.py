"""The events that have left the offer with results, kept so that a revised result can bring them back with their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.domain.changes import EventRecord, MarketRecord
from oddsengine.domain.events import Event
from oddsengine.domain.ids import MarketId

if TYPE_CHECKING:
    from oddsengine.domain.ids import EventId
    from oddsengine.domain.offered_market import OfferedMarket

#: Markets kept; the event that left first is dropped first.
SETTLED_MARKET_LIMIT: Final = 10_000


class SettledEvent(NamedTuple):
    """An event that has left the offer, its markets with results, and the sources that closed one of them."""

    record: EventRecord
    markets: dict[MarketId, MarketRecord]
    closed_by: frozenset[str]


def is_settled(market: MarketRecord) -> bool:
    """Check whether a market is worth keeping once it has left the offer: it is closed, or has a result."""
    return market.state.status == "closed" or has_outcome(market)


def has_outcome(market: MarketRecord) -> bool:
    """Check whether a market has a result."""
    return any(selection.result is not None and selection.result.outcome is not None for selection in market.selections.values())


def revises(offered: OfferedMarket, settled: MarketRecord) -> bool:
    """Check whether a market has another status or other results than it left the offer with."""
    if offered.state.status != settled.state.status:
        return True
    for key, selection in offered.selections.items():
        before = settled.selections.get(key)
        known = None if before is None or before.result is None or before.result.outcome is None else before.result
        if selection.result != known:
            return True
    return False


class SettledEvents:
    """The events that have left the offer last.

    Args:
        limit: how many markets to keep.
    """

    def __init__(self, limit: int = SETTLED_MARKET_LIMIT) -> None:
        self._limit = limit
        self._market_count = 0
        #: in the order in which they left
        self._events: dict[EventId, SettledEvent] = {}

    def add(self, left: SettledEvent) -> None:
        """Add an event that leaves. Markets that it left with earlier, and that did not come back with it, are kept."""
        event = left.record.id
        earlier = self.pop(event)
        if earlier is not None:
            left = SettledEvent(left.record, {**earlier.markets, **left.markets}, earlier.closed_by | left.closed_by)
        self._events[event] = left
        self._market_count += len(left.markets)
        while self._market_count > self._limit and len(self._events) > 1:
            self.pop(next(iter(self._events)))

    def get(self, event: EventId) -> SettledEvent | None:
        """Return an event that has left, None if it is not known."""
        return self._events.get(event)

    def pop(self, event: EventId) -> SettledEvent | None:
        """Remove an event, because it is on offer again."""
        left = self._events.pop(event, None)
        if left is not None:
            self._market_count -= len(left.markets)
        return left

    def version(self, event: EventId, market: MarketId) -> int:
        """Return the version that a market left with, 0 if it is not known."""
        left = self._events.get(event)
        record = None if left is None else left.markets.get(market)
        return 0 if record is None else record.v


def event_of(record: EventRecord) -> Event:
    """Return the event that a record describes."""
    described, progress = record.description, record.progress
    return Event(
        id=record.id,
        sport=described.sport,
        competition=described.competition,
        name=described.name,
        participants=described.participants,
        start_ms=described.start_ms,
        in_play=progress.in_play,
        score=progress.score,
        clock=progress.clock,
    )
