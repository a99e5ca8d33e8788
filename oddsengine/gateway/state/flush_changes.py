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
from oddsengine.offer.replica_offer import LazyMarket

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
    merged = _Merged(entries, offer)
    return merged.flush(events) if merged.has_repeated else _joined(events, entries, offer)


class _Merged:
    """The markets of several entries. Of one that is more than once, the last fragment is ready where it covers the others.

    A change is known by its number: its place in all entries, one after the other.
    """

    def __init__(self, entries: Sequence[Entry], offer: ReplicaOffer) -> None:
        self._entries = entries
        self._offer = offer
        self._ids = [market for entry in entries for market in entry.markets]
        numbers = range(len(self._ids))
        #: the last change of each market, in the order in which they first changed
        self._latest = dict(zip(self._ids, numbers, strict=True))
        self._ends = list(accumulate([len(entry.markets) for entry in entries]))
        self._derived: dict[MarketId, MarketChange] = {}

    @property
    def has_repeated(self) -> bool:
        """Whether any market is more than once."""
        return len(self._latest) < len(self._ids)

    def flush(self, events: list[EventChange]) -> FlushChanges:
        """Return the changes of these markets, and of events."""
        earlier, latest = self._find_earlier(), self._latest
        urgent = self._find_urgent(earlier)
        markets = [*urgent, *(market for market in latest if market not in urgent)] if urgent else list(latest)
        numbers = [latest[market] for market in markets]
        events_of = [event for entry in self._entries for event, count in entry.runs for _ in range(count)]

        def ready(profile_index: int) -> Ready:
            fragments: list[bytes] = []
            for entry in self._entries:
                of_entry = entry.fragments(profile_index)
                if of_entry is None:
                    return Ready(None, [None] * len(markets))
                fragments += of_entry
            last = [fragments[number] for number in numbers]
            uncovered = {
                market
                for market, others in earlier.items()
                if not all(covers(fragments[number], fragments[latest[market]]) for number in others)
            }
            if not uncovered:
                return Ready(last, [])
            return Ready(None, [None if market in uncovered else each for market, each in zip(markets, last, strict=True)])

        return FlushChanges(
            events,
            [],
            len(urgent),
            markets,
            [(events_of[number], 1) for number in numbers],
            ready,
            lambda index: self._change(markets[index], is_repeated=markets[index] in earlier),
        )

    def _find_earlier(self) -> dict[MarketId, list[int]]:
        """Return all changes but the last of the markets on offer that are more than once."""
        ids, latest, on_offer = self._ids, self._latest, self._offer.markets
        earlier: dict[MarketId, list[int]] = {}
        for number in [number for number, market in enumerate(ids) if latest[market] != number]:
            if ids[number] in on_offer:
                earlier.setdefault(ids[number], []).append(number)
        return earlier

    def _find_urgent(self, earlier: dict[MarketId, list[int]]) -> dict[MarketId, None]:
        """Return the markets that stopped taking bets and do not take them again."""
        stopped = {market for entry in self._entries for market in entry.markets[: entry.urgent]}
        # In the order in which they first changed.
        return dict.fromkeys(
            market
            for market in (self._latest if stopped else ())
            if market in stopped and (market not in earlier or self._change(market, is_repeated=True).is_urgent)
        )

    def _change(self, market: MarketId, *, is_repeated: bool) -> MarketChange:
        if not is_repeated:
            number = self._latest[market]
            place = bisect_right(self._ends, number)
            entry = self._entries[place]
            return _change(entry, number - self._ends[place] + len(entry.markets), self._offer)
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
        held = LazyMarket(market, EventId(""), entry.seq, len(offer.profiles), entry.records[index])
    return market_since(held.record, entry.seq - 1)
