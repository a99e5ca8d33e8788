"""Work that flushes of a shard have put off, by event. Only ids are kept: its turn finds the newest state of the sources."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from oddsengine.domain.ids import EventId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oddsengine.domain.ids import MarketId

#: Markets of one event that are priced together; a larger event is cut where one market type ends.
MARKETS_AT_ONCE: Final = 50


class UnseenEvent:
    """The marks of an event since it was last looked at."""

    __slots__ = ("is_changed", "is_leaving", "markets")

    def __init__(self) -> None:
        self.is_changed = self.is_leaving = False
        self.markets: set[MarketId] = set()


class Backlog:
    """The backlog of one shard: events to look through for suspensions, then markets to price."""

    def __init__(self) -> None:
        self.unseen: OrderedDict[EventId, UnseenEvent] = OrderedDict()
        self.unpriced: OrderedDict[EventId, set[MarketId]] = OrderedDict()
        #: events with work of a command that is not acknowledged before this is done
        self.commanded: set[EventId] = set()
        #: whether the newest of what is to be priced is next
        self._is_newest_next = True

    def __bool__(self) -> bool:
        return bool(self.unseen or self.unpriced)

    def add(self, leaving: Iterable[EventId], changed: Iterable[EventId], markets: Iterable[MarketId]) -> None:
        """Add what was marked since the last flush, in the order in which it is looked through."""
        for event in leaving:
            self._unseen(event).is_leaving = True
        for event in changed:
            self._unseen(event).is_changed = True
        for market in markets:
            self._unseen(event_of(market)).markets.add(market)

    def put_back(self, event: EventId, markets: Iterable[MarketId]) -> None:
        """Add markets that there was no time to look at: they are the next ones."""
        self._unseen(event).markets.update(markets)
        self.unseen.move_to_end(event, last=False)

    def to_price(self, event: EventId, markets: set[MarketId]) -> None:
        """Add markets of an event to be priced. It is the newest one from now on."""
        if markets:
            self.unpriced.setdefault(event, set()).update(markets)
            self.unpriced.move_to_end(event)
        else:
            self._note_done(event)

    def take_to_price(self) -> set[MarketId]:
        """Remove and return the markets to price together next, none if there are none.

        In turns those that moved last, and those for which a command waits or, without one, the oldest.
        """
        if not self.unpriced:
            return set()
        is_newest, self._is_newest_next = self._is_newest_next, not self._is_newest_next
        event = None if is_newest else next((each for each in self.commanded if each in self.unpriced), None)
        if event is None:
            event = next(reversed(self.unpriced) if is_newest else iter(self.unpriced))
        taken = self.unpriced.pop(event)
        if len(taken) > MARKETS_AT_ONCE:
            taken, rest = _cut(sorted(taken))
            if rest:
                self.unpriced[event] = rest
                self.unpriced.move_to_end(event, last=is_newest)
        self._note_done(event)
        return taken

    def take(self) -> tuple[set[EventId], set[EventId], set[MarketId]]:
        """Remove and return everything: events to withdraw, events to describe, and markets to price."""
        leaving = {event for event, unseen in self.unseen.items() if unseen.is_leaving}
        changed = {event for event, unseen in self.unseen.items() if unseen.is_changed}
        markets = {market for unseen in self.unseen.values() for market in unseen.markets}
        markets.update(*self.unpriced.values())
        self.clear()
        return leaving, changed, markets

    def clear(self) -> None:
        """Drop everything."""
        self.unseen.clear()
        self.unpriced.clear()
        self.commanded.clear()

    def _unseen(self, event: EventId) -> UnseenEvent:
        unseen = self.unseen.get(event)
        if unseen is None:
            unseen = self.unseen[event] = UnseenEvent()
        return unseen

    def _note_done(self, event: EventId) -> None:
        if self.commanded and event not in self.unpriced and event not in self.unseen:
            self.commanded.discard(event)


def event_of(market: MarketId) -> EventId:
    """Return the event of a market."""
    return EventId(market.partition("/")[0])


def _cut(markets: list[MarketId]) -> tuple[set[MarketId], set[MarketId]]:
    """Cut the sorted markets of an event: lines that are priced by each other stay together."""
    at = MARKETS_AT_ONCE
    last_type = _type_of(markets[at - 1])
    while at < len(markets) and _type_of(markets[at]) == last_type:
        at += 1
    return set(markets[:at]), set(markets[at:])


def _type_of(market: MarketId) -> str:
    return market.partition("/")[2].partition("/")[0]
