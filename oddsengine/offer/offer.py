"""What is published: versions, positions, and what changed since any position.

The changes of one shard form one sequence of positions `(epoch, seq)`. The offer notes the `seq` at which each
selection, each market's status and each event last changed, so "what changed since P" is computable for any P of this
epoch with no history at all, and costs what has changed since, not what has happened.

It serves both ends: the owner puts states into it and cuts batches (`owned_offer`), a replica applies those batches
(`replica_offer`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.changes import (
    Changes,
    EventChange,
    EventDescription,
    EventRecord,
    MarketChange,
    MarketRecord,
    Meta,
    Record,
    Removal,
    SelectionChange,
    Tombstone,
)
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.offer.change_index import ALL, ChangeIndex, EventEntry
from oddsengine.offer.tombstones import Tombstones

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


#: Removals remembered: a position older than the oldest of them gets a snapshot.
TOMBSTONES_KEPT = 10_000
#: Before the first position of any epoch: what changed since is everything.
BEGINNING = -1


class Offer:
    """The published state of one shard.

    Args:
        profiles: the names of the price profiles, in the order of every `prices`.
        tombstones_kept: how many removals to remember.
    """

    def __init__(self, profiles: Sequence[str] = ("default",), tombstones_kept: int = TOMBSTONES_KEPT) -> None:
        self._mean(profiles)
        self.epoch = 0
        self.seq = 0
        self.events: dict[EventId, EventEntry] = {}
        self.markets: dict[MarketId, MarketRecord] = {}
        self._tombstones = Tombstones(tombstones_kept)
        self._index = ChangeIndex()

    def _mean(self, profiles: Sequence[str]) -> None:
        """Say what every `prices` stands for."""
        self.profiles = tuple(profiles)
        self._no_prices: tuple[None, ...] = (None,) * len(self.profiles)

    def place(self, profile: str | None) -> int | None:
        """Tell a profile's place in every `prices`, the first for None; None if there is no such profile."""
        if profile is None:
            return 0
        return self.profiles.index(profile) if profile in self.profiles else None

    @property
    def floor(self) -> int:
        """The oldest position of this epoch that has a diff."""
        return self._tombstones.floor

    def load(self, epoch: int, seq: int, records: Iterable[Record]) -> None:
        """Replace everything by the records of a snapshot read at a position."""
        self.events.clear()
        self.markets.clear()
        self.epoch, self.seq = epoch, seq
        floor = 0
        markets: list[MarketRecord] = []
        tombstones: list[Tombstone] = []
        for record in records:
            if isinstance(record, MarketRecord):
                markets.append(record)
            elif isinstance(record, EventRecord):
                entry = self.events[record.id] = EventEntry(record)
                entry.touched = max(record.description_at, record.progress_at)
            elif isinstance(record, Tombstone):
                tombstones.append(record)
            else:
                self._mean(record.profiles)
                floor = record.floor
        for market in markets:
            of_event = self.events.get(market.identity.event)
            if of_event is not None:
                self.markets[market.id] = of_event.markets[market.id] = market
                of_event.touched = max(of_event.touched, market.at)
        self._index.load(self.events.values())
        self._tombstones.load(tombstones, floor)

    def records(self) -> Iterator[Record]:
        """Give everything as records, as a new owner writes them."""
        yield self.meta()
        for entry in self.events.values():
            yield entry.record
        yield from self.markets.values()
        yield from self._tombstones

    def meta(self) -> Meta:
        """Say what this shard's prices mean and how far back its diffs reach."""
        return Meta(self.profiles, self.floor)

    def has_diff_since(self, epoch: int, seq: int) -> bool:
        """Tell whether `changes_since` covers all that happened since a position."""
        return epoch == self.epoch and self.floor <= seq <= self.seq

    def changes_since(self, seq: int, scope: str = ALL) -> Changes:
        """Say what changed after a position of this epoch in a scope; after `BEGINNING` everything, whole.

        Args:
            seq: the position, at least `floor`.
            scope: all events, `sport:<key>`, `competition:<id>`, `event:<id>` or `market:<id>`.
        """
        changes = Changes([], [], [])
        urgent: list[MarketChange] = []
        kind, _, key = scope.partition(":")
        if kind == "market":
            self._collect_market(self.markets.get(MarketId(key)), seq, changes, urgent)
        elif kind == "event":
            entry = self.events.get(EventId(key))
            if entry is not None:
                self._collect_event(entry, seq, changes, urgent)
        else:
            for entry in self._index.since(scope, seq):
                self._collect_event(entry, seq, changes, urgent)
        if seq != BEGINNING:
            changes.removals += self.removals_since(seq, scope)
        changes.urgent = len(urgent)
        if urgent:
            changes.markets = urgent + changes.markets
        return changes

    def entries_since(self, seq: int, scope: str) -> Iterable[EventEntry]:
        """Give the events of a scope of which anything may have changed after a position.

        Args:
            seq: the position.
            scope: `sport:<key>`, `competition:<id>` or `event:<id>`.
        """
        kind, _, key = scope.partition(":")
        if kind != "event":
            return self._index.since(scope, seq)
        entry = self.events.get(EventId(key))
        return () if entry is None or entry.touched <= seq else (entry,)

    @staticmethod
    def event_since(record: EventRecord, seq: int) -> EventChange | None:
        """Say what of an event itself changed after a position, if anything."""
        if record.description_at > seq:
            return EventChange(record.id, record.description, record.progress)
        return EventChange(record.id, None, record.progress) if record.progress_at > seq else None

    @staticmethod
    def market_since(market: MarketRecord, seq: int) -> MarketChange:
        """Say what of a market changed after a position."""
        whole = market.created_at > seq
        state = market.state if whole or market.state_at > seq else None
        selections = {
            key: SelectionChange(
                selection.name if whole or selection.name_at > seq else None,
                selection.status if whole or selection.status_at > seq else None,
                selection.prices,
            )
            for key, selection in market.selections.items()
            if whole or selection.at > seq
        }
        return MarketChange(market.id, market.v, market.identity if whole else None, state, selections)

    def removals_since(self, seq: int, scope: str = ALL) -> list[Removal]:
        """List what was on offer in a scope (see `changes_since`), was removed after a position and has not come back."""
        kind, _, key = scope.partition(":")
        return [
            removal
            for removal in self._tombstones.since(seq)
            # What came back stands among the changes, whole.
            if removal.id not in (self.markets if removal.what == "market" else self.events)
            and (
                not kind
                or (kind == "event" and key == removal.event)
                or (kind == "sport" and key == removal.sport)
                or (kind == "competition" and key == removal.competition)
                or (kind == "market" and key == removal.id)
            )
        ]

    def _collect_event(self, entry: EventEntry, seq: int, changes: Changes, urgent: list[MarketChange]) -> None:
        event = self.event_since(entry.record, seq)
        if event is not None:
            changes.events.append(event)
        for market in entry.markets.values():
            if market.at > seq:
                self._append_market(market, seq, changes, urgent)

    def _collect_market(self, market: MarketRecord | None, seq: int, changes: Changes, urgent: list[MarketChange]) -> None:
        if market is None:
            return
        record = self.events[market.identity.event].record
        whole = record.description_at > seq or market.created_at > seq
        if whole or record.progress_at > seq:
            changes.events.append(EventChange(record.id, record.description if whole else None, record.progress))
        if market.at > seq:
            self._append_market(market, seq, changes, urgent)

    def _append_market(self, market: MarketRecord, seq: int, changes: Changes, urgent: list[MarketChange]) -> None:
        change = self.market_since(market, seq)
        (urgent if change.is_urgent else changes.markets).append(change)

    # -- what both ends do to it ----------------------------------------------------------------------------------

    def _add_event(self, record: EventRecord, seq: int) -> None:
        entry = self.events[record.id] = EventEntry(record)
        self._index.enter(entry)
        self._index.touch(entry, seq)

    def _redescribe(self, entry: EventEntry, description: EventDescription) -> None:
        self._index.leave(entry)
        entry.describe(description)
        self._index.enter(entry)


def record_key(record: Record) -> str:
    """Name a record's field in the snapshot hash."""
    if isinstance(record, MarketRecord):
        return f"m:{record.id}"
    if isinstance(record, EventRecord):
        return f"e:{record.id}"
    if isinstance(record, Tombstone):
        return f"t:{record.removal.what[0]}:{record.removal.id}"
    return "meta"
