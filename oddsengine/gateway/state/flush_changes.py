"""The changes that a flush delivers, with what their publisher has encoded of them.

Most are passed on as they were received. A change is derived from its market's record only where somebody wants it encoded in
another way than it was published, or as one with an earlier change.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from oddsengine.domain.ids import EventId
from oddsengine.offer.entries.fragments import covers
from oddsengine.offer.offer import event_since, market_since
from oddsengine.offer.replica_offer import HeldMarket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from oddsengine.domain.changes import Changes, EventChange, EventRecord, MarketChange, Removal
    from oddsengine.domain.ids import MarketId
    from oddsengine.offer.entries.entry import Entry
    from oddsengine.offer.replica_offer import ReplicaOffer


class Ready(NamedTuple):
    """The ready fragments of markets: of all, or of some."""

    all: list[bytes] | None
    some: list[bytes | None]

    def part(self, start: int, end: int) -> Ready:
        """Return those between two indexes."""
        return Ready(None if self.all is None else self.all[start:end], self.some[start:end])


class FlushChanges:
    """Changes of one shard.

    Args:
        events: the changed events.
        removals: what left the offer.
        urgent: how many of the first markets stopped taking bets: they are sent first.
        markets: the changed markets, those of an event next to each other.
        runs: the events of these, each with the number of its next markets.
        ready: returns the ready fragments for the profile of an index.
        change: returns the change of the market of an index.
    """

    __slots__ = ("change", "events", "markets", "ready", "removals", "runs", "urgent")

    def __init__(
        self,
        events: list[EventChange],
        removals: list[Removal],
        urgent: int,
        markets: list[MarketId],
        runs: list[tuple[EventId, int]],
        ready: Callable[[int], Ready],
        change: Callable[[int], MarketChange],
    ) -> None:
        self.events = events
        self.removals = removals
        self.urgent = urgent
        self.markets = markets
        self.runs = runs
        self.ready = ready
        self.change = change

    def __bool__(self) -> bool:
        return bool(self.events or self.markets or self.removals)

    def part(self, start: int, end: int) -> FlushChanges:
        """Return the markets between two indexes; with the first of them all events and removals."""
        markets = self.markets[start:end]
        return FlushChanges(
            [] if start else self.events,
            [] if start else self.removals,
            min(max(self.urgent - start, 0), len(markets)),
            markets,
            _cut(self.runs, start, end),
            lambda profile_index: self.ready(profile_index).part(start, end),
            lambda index: self.change(start + index),
        )


def _cut(runs: Iterable[tuple[EventId, int]], start: int, end: int) -> list[tuple[EventId, int]]:
    cut: list[tuple[EventId, int]] = []
    place = 0
    for event, count in runs:
        inside = min(place + count, end) - max(place, start)
        if inside > 0:
            cut.append((event, inside))
        place += count
    return cut


def from_changes(changes: Changes, offer: ReplicaOffer) -> FlushChanges:
    """Return changes that were derived from the state of an offer. Nothing of them is ready."""
    markets = changes.markets
    return FlushChanges(
        changes.events,
        changes.removals,
        changes.urgent,
        [change.id for change in markets],
        [(offer.markets[change.id].event, 1) for change in markets],
        lambda _: Ready(None, [None] * len(markets)),
        lambda index: markets[index],
    )


def from_entries(entries: Sequence[Entry], offer: ReplicaOffer) -> FlushChanges:
    """Merge consecutive entries, which are the last ones that an offer has taken over: the latest value of everything."""
    if len(entries) > 1:
        return _from_several(entries, offer)
    (entry,) = entries
    return FlushChanges(
        _events(entry.events, entry.seq - 1),
        entry.removals,
        entry.urgent,
        entry.markets,
        entry.runs,
        lambda profile_index: _ready(entry, profile_index),
        lambda index: _change(entry, index, offer),
    )


def _from_several(entries: Sequence[Entry], offer: ReplicaOffer) -> FlushChanges:
    since = entries[0].seq - 1
    if any(entry.removals for entry in entries):
        return from_changes(offer.changes_since(since), offer)
    latest = {record.id: offer.events[record.id].record for entry in entries for record in entry.events}
    events = _events(latest.values(), since)
    if len({market for entry in entries for market in entry.markets}) == sum([len(entry.markets) for entry in entries]):
        return _joined(events, entries, offer)
    return _merged(events, entries, offer)


def _merged(events: list[EventChange], entries: Sequence[Entry], offer: ReplicaOffer) -> FlushChanges:
    """Merge entries in which some markets are more than once."""
    merged = _Merged(entries, offer)
    urgent: list[MarketId] = []
    calm: list[MarketId] = []
    for market in merged.places:
        (urgent if merged.is_urgent(market) else calm).append(market)
    markets = urgent + calm
    runs = [(merged.places[market][2], 1) for market in markets]
    return FlushChanges(
        events,
        [],
        len(urgent),
        markets,
        runs,
        lambda profile_index: merged.ready(markets, profile_index),
        lambda index: merged.change(markets[index]),
    )


class _Merged:
    """The markets of several entries. Of one that is more than once, the last fragment is ready where it covers the others.

    Attributes:
        places: the last entry of each market, its index there, and its event.
    """

    def __init__(self, entries: Sequence[Entry], offer: ReplicaOffer) -> None:
        self.places: dict[MarketId, tuple[Entry, int, EventId]] = {}
        self._entries = entries
        self._offer = offer
        #: of the markets that are more than once the other entries, with the indexes there
        self._earlier: dict[MarketId, list[tuple[Entry, int]]] = {}
        self._derived: dict[MarketId, MarketChange] = {}
        places, earlier = self.places, self._earlier
        for entry in entries:
            index = 0
            for event, count in entry.runs:
                for market in entry.markets[index : index + count]:
                    known = places.get(market)
                    if known is not None and market in offer.markets:
                        earlier.setdefault(market, []).append(known[:2])
                    places[market] = entry, index, event
                    index += 1

    def is_urgent(self, market: MarketId) -> bool:
        entry, index, _ = self.places[market]
        if market not in self._earlier:
            return index < entry.urgent
        if index >= entry.urgent and all(place >= other.urgent for other, place in self._earlier[market]):
            return False
        # It may have stopped taking bets and take them again.
        return self.change(market).is_urgent

    def ready(self, markets: Sequence[MarketId], profile_index: int) -> Ready:
        fragments: dict[int, list[bytes]] = {}
        for entry in self._entries:
            of_entry = entry.fragments(profile_index)
            if of_entry is None:
                return Ready(None, [None] * len(markets))
            fragments[entry.seq] = of_entry
        places, earlier = self.places, self._earlier
        some: list[bytes | None] = []
        complete: list[bytes] = []
        for market in markets:
            entry, index, _ = places[market]
            fragment = fragments[entry.seq][index]
            others = earlier.get(market)
            if others is None or all(covers(fragments[other.seq][place], fragment) for other, place in others):
                complete.append(fragment)
                some.append(fragment)
            else:
                some.append(None)
        return Ready(complete, []) if len(complete) == len(some) else Ready(None, some)

    def change(self, market: MarketId) -> MarketChange:
        if market not in self._earlier:
            return _change(*self.places[market][:2], self._offer)
        change = self._derived.get(market)
        if change is None:
            since = self._entries[0].seq - 1
            change = self._derived[market] = market_since(self._offer.markets[market].record, since)
        return change


def _joined(events: list[EventChange], entries: Sequence[Entry], offer: ReplicaOffer) -> FlushChanges:
    """Join entries in which no market is twice."""
    parts = [(entry, 0, entry.urgent) for entry in entries if entry.urgent]
    parts += [(entry, entry.urgent, len(entry.markets)) for entry in entries]
    ends = list(accumulate(end - start for _, start, end in parts))

    def ready(profile_index: int) -> Ready:
        fragments = {entry.seq: entry.fragments(profile_index) for entry in entries}
        joined: list[bytes] = []
        for entry, start, end in parts:
            of_entry = fragments[entry.seq]
            if of_entry is None:
                return Ready(None, [None] * len(markets))
            joined += of_entry[start:end]
        return Ready(joined, [])

    def change_of(index: int) -> MarketChange:
        place = bisect_right(ends, index)
        entry, _, end = parts[place]
        return _change(entry, index - ends[place] + end, offer)

    markets = [market for entry, start, end in parts for market in entry.markets[start:end]]
    runs = [run for entry, start, end in parts for run in _cut(entry.runs, start, end)]
    return FlushChanges(events, [], sum([entry.urgent for entry in entries]), markets, runs, ready, change_of)


def _events(records: Iterable[EventRecord], since: int) -> list[EventChange]:
    return [change for record in records if (change := event_since(record, since)) is not None]


def _ready(entry: Entry, profile_index: int) -> Ready:
    fragments = entry.fragments(profile_index)
    return Ready(fragments, [] if fragments is not None else [None] * len(entry.markets))


def _change(entry: Entry, index: int, offer: ReplicaOffer) -> MarketChange:
    market = entry.markets[index]
    held = offer.markets.get(market)
    if held is None or held.at != entry.seq:
        held = HeldMarket(market, EventId(""), entry.seq, len(offer.profiles), entry.records[index])
    return market_since(held.record, entry.seq - 1)
