"""The published state of a shard and the diff since any of its positions.

The changes of a shard form one sequence of positions `(epoch, seq)`. The offer stores the `seq` at which each selection, each
market's status and each event last changed. So the diff since any position of the epoch is computed without a history, and
costs what has changed since then, not how often it changed.

`owned_offer` adds the owner's end, which stages states and commits batches, `replica_offer` the end that applies those batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from oddsengine.common import speedups
from oddsengine.domain.changes import Changes, EventChange, EventRecord, MarketChange, Meta, SelectionChange, Tombstone
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.offer.change_index import ALL, ChangeIndex, EventEntry, M, Market
from oddsengine.offer.tombstones import Tombstones

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from oddsengine.domain.changes import EventDescription, Removal, SelectionRecord


#: Tombstones kept by default; a client whose position is before the oldest of them gets a snapshot.
TOMBSTONE_LIMIT = 10_000
#: Position before the first one of any epoch: the diff since it is the whole state.
BEGINNING = -1


def event_since(record: EventRecord, seq: int) -> EventChange | None:
    """Return the changes of an event itself after a position, None if there are none."""
    if record.description_at > seq:
        return EventChange(record.id, record.description, record.progress)
    return EventChange(record.id, None, record.progress) if record.progress_at > seq else None


def market_since(market: Market, seq: int) -> MarketChange:
    """Return the changes of a market after a position."""
    whole = market.created_at > seq
    state = market.state if whole or market.state_at > seq else None
    selections = {
        key: SelectionChange(
            selection.name if whole or selection.name_at > seq else None,
            selection.status if whole or selection.status_at > seq else None,
            selection.prices,
            selection.result if whole or selection.result_at > seq else None,
            selection.order if whole or selection.name_at > seq else None,
            selection.fair,
        )
        for key, selection in (market.selections.items() if whole else _moved_since(market.selections, seq))
    }
    return MarketChange(market.id, market.v, market.identity if whole else None, state, selections)


def _moved_since(selections: Mapping[str, SelectionRecord], seq: int) -> list[tuple[str, SelectionRecord]]:
    """Return the selections that have changed after a position, each with its key."""
    if speedups.pricing is not None and type(selections) is dict:
        return speedups.pricing.moved_since(selections, seq)
    return [(key, selection) for key, selection in selections.items() if selection.at > seq]


class Offer(Generic[M]):
    """The published state of one shard. Its two ends hold their markets in different ways.

    Args:
        profiles: names of the price profiles, in the order of every `prices`.
        tombstone_limit: how many removals to keep.
    """

    def __init__(self, profiles: Sequence[str] = ("default",), tombstone_limit: int = TOMBSTONE_LIMIT) -> None:
        self._set_profiles(profiles)
        self.epoch = 0
        self.seq = 0
        self.events: dict[EventId, EventEntry[M]] = {}
        self.markets: dict[MarketId, M] = {}
        self._tombstones = Tombstones(tombstone_limit)
        self._index: ChangeIndex[M] = ChangeIndex()

    def _set_profiles(self, profiles: Sequence[str]) -> None:
        self.profiles = tuple(profiles)
        self._no_prices: tuple[None, ...] = (None,) * len(self.profiles)

    def profile_index(self, profile: str | None) -> int | None:
        """Return the index of a profile in every `prices`: 0 for None, None if there is no such profile."""
        if profile is None:
            return 0
        return self.profiles.index(profile) if profile in self.profiles else None

    @property
    def oldest_diffable(self) -> int:
        """Oldest position of this epoch that has a diff."""
        return self._tombstones.oldest_diffable

    def _load(
        self,
        epoch: int,
        seq: int,
        others: Iterable[EventRecord | Tombstone | Meta],
        markets: Iterable[tuple[EventId, M]],
    ) -> None:
        """Replace the whole state by that of a snapshot taken at a position: its markets, each with its event, and all else."""
        self.events.clear()
        self.markets.clear()
        self.epoch, self.seq = epoch, seq
        oldest_diffable = 0
        tombstones: list[Tombstone] = []
        for record in others:
            if isinstance(record, EventRecord):
                entry: EventEntry[M] = EventEntry(record)
                self.events[record.id] = entry
                entry.touched = max(record.description_at, record.progress_at)
            elif isinstance(record, Tombstone):
                tombstones.append(record)
            else:
                self._set_profiles(record.profiles)
                oldest_diffable = record.oldest_diffable
        for event, market in markets:
            of_event = self.events.get(event)
            if of_event is not None:
                self.markets[market.id] = of_event.markets[market.id] = market
                of_event.touched = max(of_event.touched, market.at)
        self._index.load(self.events.values())
        self._tombstones.load(tombstones, oldest_diffable)

    def has_diff_since(self, epoch: int, seq: int) -> bool:
        """Check whether `changes_since` covers every change since a position."""
        return epoch == self.epoch and self.oldest_diffable <= seq <= self.seq

    def changes_since(self, seq: int, scope: str = ALL) -> Changes:
        """Return the changes in a scope after a position of this epoch; after `BEGINNING`, the whole state.

        Args:
            seq: the position, `BEGINNING` or at least `oldest_diffable`.
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

    def entries_since(self, seq: int, scope: str) -> Iterable[EventEntry[M]]:
        """Return the events of a scope that may have changed after a position, themselves or their markets.

        Args:
            seq: the position.
            scope: `sport:<key>`, `competition:<id>` or `event:<id>`.
        """
        kind, _, key = scope.partition(":")
        if kind != "event":
            return self._index.since(scope, seq)
        entry = self.events.get(EventId(key))
        return () if entry is None or entry.touched <= seq else (entry,)

    def removals_since(self, seq: int, scope: str = ALL) -> list[Removal]:
        """Return the markets and events of a scope (see `changes_since`) removed after a position and not added again."""
        kind, _, key = scope.partition(":")
        return [
            removal
            for removal in self._tombstones.since(seq)
            # What was added again is among the changes, whole.
            if removal.id not in (self.markets if removal.kind == "market" else self.events)
            and (
                not kind
                or (kind == "event" and key == removal.event)
                or (kind == "sport" and key == removal.sport)
                or (kind == "competition" and key == removal.competition)
                or (kind == "market" and key == removal.id)
            )
        ]

    def _collect_event(self, entry: EventEntry[M], seq: int, changes: Changes, urgent: list[MarketChange]) -> None:
        event = event_since(entry.record, seq)
        if event is not None:
            changes.events.append(event)
        for market in entry.markets.values():
            if market.at > seq:
                self._append_market(market, seq, changes, urgent)

    def _collect_market(self, market: M | None, seq: int, changes: Changes, urgent: list[MarketChange]) -> None:
        if market is None:
            return
        record = self.events[market.identity.event].record
        whole = record.description_at > seq or market.created_at > seq
        if whole or record.progress_at > seq:
            changes.events.append(EventChange(record.id, record.description if whole else None, record.progress))
        if market.at > seq:
            self._append_market(market, seq, changes, urgent)

    def _append_market(self, market: M, seq: int, changes: Changes, urgent: list[MarketChange]) -> None:
        change = market_since(market, seq)
        (urgent if change.is_urgent else changes.markets).append(change)

    # -- changes made by both ends --------------------------------------------------------------------------------

    def _add_event(self, record: EventRecord, seq: int) -> None:
        entry: EventEntry[M] = EventEntry(record)
        self.events[record.id] = entry
        self._index.add(entry)
        self._index.touch(entry, seq)

    def _redescribe(self, entry: EventEntry[M], description: EventDescription) -> None:
        self._index.discard(entry)
        entry.describe(description)
        self._index.add(entry)
