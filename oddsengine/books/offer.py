"""What we publish: versions, positions, and what changed since any position.

The changes of one shard form one sequence of positions `(epoch, seq)`. The offer notes the `seq` at which each
selection, each market's status and each event last changed, so "what changed since P" is computable for any P of this
epoch with no history at all, and costs what has changed since, not what has happened.

The same class serves both ends. The owner puts states and cuts batches; a replica applies those batches. Whatever is
put, a market that is not open and a selection that is not active have no price: the offer itself sees to it.

Pure: time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from oddsengine.books.changes import (
    Batch,
    Changes,
    EventChange,
    EventDescription,
    EventProgress,
    EventRecord,
    MarketChange,
    MarketIdentity,
    MarketRecord,
    MarketState,
    Meta,
    Record,
    Removal,
    SelectionChange,
    SelectionRecord,
    Tombstone,
)
from oddsengine.books.tombstones import Tombstones
from oddsengine.markets.ids import EventId, MarketId
from oddsengine.markets.taxonomy import SelectionStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from oddsengine.markets.events import Event

#: Removals remembered: a position older than the oldest of them gets a snapshot.
TOMBSTONES_KEPT = 10_000
#: Before the first position of any epoch: what changed since is everything.
BEGINNING = -1

#: The scope of every event, beside `sport:<key>` and `competition:<id>`.
ALL = ""


class OfferedSelection(NamedTuple):
    """A selection as it is to be published; prices in thousandths, one a profile."""

    name: str
    status: SelectionStatus
    prices: tuple[int | None, ...]


class OfferedMarket(msgspec.Struct, frozen=True):
    """A market as it is to be published."""

    id: MarketId
    identity: MarketIdentity
    state: MarketState
    selections: Mapping[str, OfferedSelection]


class EventEntry:
    """An event on offer, with its markets and the position at which anything of it last changed."""

    __slots__ = ("markets", "record", "touched")

    def __init__(self, record: EventRecord) -> None:
        self.record = record
        self.markets: dict[MarketId, MarketRecord] = {}
        self.touched = 0

    def scopes(self) -> tuple[str, str, str]:
        """Name the scopes whose recency this event is part of."""
        description = self.record.description
        return ALL, f"sport:{description.sport}", f"competition:{description.competition.id}"


class Offer:
    """The published state of one shard.

    Args:
        profiles: the names of the price profiles, in the order of every `prices`.
        tombstones_kept: how many removals to remember.
    """

    def __init__(self, profiles: Sequence[str] = ("default",), tombstones_kept: int = TOMBSTONES_KEPT) -> None:
        self.profiles = tuple(profiles)
        self.epoch = 0
        self.seq = 0
        self.events: dict[EventId, EventEntry] = {}
        self.markets: dict[MarketId, MarketRecord] = {}
        self._tombstones = Tombstones(tombstones_kept)
        #: the newest position in the records loaded: older batches may still follow, recency must not fall behind it
        self._horizon = 0
        #: scope -> its events, least recently changed first
        self._recency: dict[str, dict[EventId, None]] = {ALL: {}}
        self._no_prices: tuple[None, ...] = (None,) * len(self.profiles)
        #: whether anything may have been put since the last cut
        self._staged = False

    def place(self, profile: str | None) -> int | None:
        """Tell a profile's place in every `prices`, the first for None; None if there is no such profile."""
        if profile is None:
            return 0
        return self.profiles.index(profile) if profile in self.profiles else None

    @property
    def floor(self) -> int:
        """The oldest position of this epoch that has a diff."""
        return self._tombstones.floor

    # -- the owner's doors ----------------------------------------------------------------------------------------

    def put_event(self, event: Event) -> None:
        """Stage an event as it now stands; the same again changes nothing."""
        description = EventDescription(event.sport, event.competition, event.name, event.participants, event.start_ms)
        progress = EventProgress(event.in_play, event.score, event.clock)
        pending = self.seq + 1
        entry = self.events.get(event.id)
        if entry is None:
            self._add_event(EventRecord(event.id, description, pending, progress, pending), pending)
            return
        record = entry.record
        if record.description == description and record.progress == progress:
            return
        if record.description != description:
            self._redescribe(entry, description)
            record.description_at = pending
        if record.progress != progress:
            record.progress = progress
            record.progress_at = pending
        self._touch(entry, pending)

    def put_market(self, offered: OfferedMarket) -> bool:
        """Stage a market as it is now to be published; tell whether that changed anything.

        A selection it does not name any more is removed, never forgotten. A market of an unknown event is not staged.
        """
        entry = self.events.get(offered.identity.event)
        if entry is None:
            return False
        pending = self.seq + 1
        record = self.markets.get(offered.id)
        if record is None or record.identity != offered.identity:
            version = record.v if record is not None else 0  # a market that changed its nature goes on counting
            record = MarketRecord(offered.id, offered.identity, pending, offered.state, pending, version, 0, {})
            self.markets[offered.id] = entry.markets[offered.id] = record
            changed = True
        elif record.state != offered.state:
            record.state = offered.state
            record.state_at = pending
            changed = True
        else:
            changed = False
        if self._put_selections(record, offered, pending):
            changed = True
        if changed:
            if record.at != pending:
                record.v += 1
                record.at = pending
            self._touch(entry, pending)
        return changed

    def put_prices(self, market: MarketId, changes: Iterable[tuple[str, tuple[int | None, ...]]]) -> bool:
        """Stage new prices of some selections of a market all else of which is as it was; tell whether any changed.

        The same gate as for whole markets holds: what is not open or not active takes no price.
        """
        record = self.markets.get(market)
        if record is None or record.state.status != "open":
            return False
        pending = self.seq + 1
        changed = False
        for key, prices in changes:
            selection = record.selections[key]
            if selection.prices != prices and selection.status == "active":
                selection.prices = prices
                selection.at = pending
                changed = True
        if changed:
            if record.at != pending:
                record.v += 1
                record.at = pending
            self._touch(self.events[record.identity.event], pending)
        return changed

    def _put_selections(self, record: MarketRecord, offered: OfferedMarket, pending: int) -> bool:
        is_open = offered.state.status == "open"
        no_prices = self._no_prices
        current = record.selections
        changed = False
        for key, (name, status, offered_prices) in offered.selections.items():
            prices = offered_prices if is_open and status == "active" else no_prices
            selection = current.get(key)
            if selection is None:
                current[key] = SelectionRecord(name, status, prices, pending, pending, pending)
                changed = True
            elif selection.prices != prices or selection.status != status or selection.name != name:
                if selection.status != status:
                    selection.status = status
                    selection.status_at = pending
                if selection.name != name:
                    selection.name = name
                    selection.name_at = pending
                selection.prices = prices
                selection.at = pending
                changed = True
        if len(current) != len(offered.selections):
            for key, selection in current.items():
                if key not in offered.selections and (selection.status != "removed" or selection.prices != no_prices):
                    selection.status = "removed"
                    selection.prices = no_prices
                    selection.at = selection.status_at = pending
                    changed = True
        return changed

    def suspend_all(self, reason: str) -> None:
        """Stage the suspension of every open market, as after a change of owner."""
        for record in list(self.markets.values()):
            if record.state.status == "open":
                self.suspend(record.id, reason)

    def suspend(self, market: MarketId, reason: str) -> None:
        """Stage the suspension of one market whose other state is no longer known; unknown and closed ones stay."""
        record = self.markets.get(market)
        if record is None or record.state.status == "closed":
            return
        selections = {
            key: OfferedSelection(selection.name, selection.status, self._no_prices)
            for key, selection in record.selections.items()
        }
        state = MarketState("suspended", reason, record.state.in_play)
        self.put_market(OfferedMarket(market, record.identity, state, selections))

    def remove_event(self, event: EventId) -> None:
        """Stage the removal of an event and all its markets; unknown ones are none."""
        entry = self.events.get(event)
        if entry is None:
            return
        pending = self.seq + 1
        for market in list(entry.markets):
            self._remove_market(entry, market, pending)
        self._remove_event(entry, pending)

    def remove_market(self, market: MarketId) -> None:
        """Stage the removal of a market; an unknown one is none."""
        record = self.markets.get(market)
        if record is not None:
            entry = self.events[record.identity.event]
            self._remove_market(entry, market, self.seq + 1)
            self._touch(entry, self.seq + 1)

    def cut(self, ts_ms: int, *, sign_of_life: bool = False) -> Batch | None:
        """Take all that was staged since the last cut as the batch of the next position.

        Args:
            ts_ms: the time of publication, Unix milliseconds.
            sign_of_life: give an empty batch, and so a new position, even when nothing changed.
        """
        if not self._staged and not sign_of_life:
            return None
        changes = self.changes_since(self.seq)
        self._staged = False
        self._tombstones.forget_oldest()
        if not changes and not sign_of_life:
            return None
        self.seq += 1
        return Batch(ts_ms, changes.events, changes.markets, changes.removals, changes.urgent)

    def adopt_profiles(self, profiles: Sequence[str]) -> None:
        """Say what the prices put from now on stand for; only while nothing is on offer."""
        assert not self.markets, "profiles can't change under markets on offer"  # noqa: S101 - a caller's mistake
        self.profiles = tuple(profiles)
        self._no_prices = (None,) * len(self.profiles)

    def open_epoch(self, epoch: int) -> None:
        """Begin a new epoch with the state as it stands as its position 0; older positions have no diff any more."""
        self.epoch = epoch
        self.seq = self._horizon = 0
        self._tombstones.clear()
        for entry in self.events.values():
            entry.touched = entry.record.description_at = entry.record.progress_at = 0
        for record in self.markets.values():
            record.at = record.created_at = record.state_at = 0
            for selection in record.selections.values():
                selection.at = selection.status_at = selection.name_at = 0

    # -- the replica's doors --------------------------------------------------------------------------------------

    def apply(self, seq: int, batch: Batch) -> set[EventId]:
        """Apply the batch of a position; tell which events it touched.

        What is at or past the position already (read from a later snapshot) is left as it is.
        """
        touched: set[EventId] = set()
        for removal in batch.removals:
            self._apply_removal(removal, seq)
            touched.add(removal.event)
        for event in batch.events:
            self._apply_event(event, seq)
            touched.add(event.id)
        for market in batch.markets:
            event_id = self._apply_market(market, seq)
            if event_id is not None:
                touched.add(event_id)
        self.seq = max(self.seq, seq)
        self._tombstones.forget_oldest()
        return touched

    def load(self, epoch: int, seq: int, records: Iterable[Record]) -> None:
        """Replace everything by the records of a snapshot read at a position."""
        self.events.clear()
        self.markets.clear()
        self._recency = {ALL: {}}
        self._horizon = 0
        self.epoch, self.seq = epoch, seq
        floor = 0
        markets: list[MarketRecord] = []
        tombstones: list[Tombstone] = []
        touched: dict[EventId, int] = {}
        for record in records:
            if isinstance(record, MarketRecord):
                markets.append(record)
            elif isinstance(record, EventRecord):
                self.events[record.id] = EventEntry(record)
                touched[record.id] = max(record.description_at, record.progress_at)
            elif isinstance(record, Tombstone):
                tombstones.append(record)
            else:
                self.profiles = record.profiles
                self._no_prices = (None,) * len(record.profiles)
                floor = record.floor
        for market in markets:
            entry = self.events.get(market.identity.event)
            if entry is None:
                continue
            self.markets[market.id] = entry.markets[market.id] = market
            touched[market.identity.event] = max(touched[market.identity.event], market.at)
        for event in sorted(touched, key=touched.__getitem__):
            self._touch(self.events[event], touched[event])
        self._horizon = max(touched.values(), default=0)
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

    def records_of(self, batch: Batch) -> tuple[list[Record], list[str]]:
        """Give the records a batch makes new, and the keys (see `record_key`) of those it makes obsolete."""
        records: list[Record] = [self.markets[change.id] for change in batch.markets]
        records += [self.events[change.id].record for change in batch.events]
        if not batch.removals:
            return records, []
        obsolete = [f"{removal.what[0]}:{removal.id}" for removal in batch.removals]
        records += [Tombstone(removal, self.seq) for removal in batch.removals]
        if dropped := self._tombstones.take_dropped():
            obsolete += [record_key(tombstone) for tombstone in dropped]
            records.append(self.meta())
        return records, obsolete

    # -- everybody's doors ----------------------------------------------------------------------------------------

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
            events = self.events
            for event in reversed(self._recency.get(scope, {})):
                entry = events[event]
                if entry.touched <= seq:
                    break
                self._collect_event(entry, seq, changes, urgent)
        if seq != BEGINNING:
            self._collect_removals(scope, seq, changes)
        changes.urgent = len(urgent)
        if urgent:
            changes.markets = urgent + changes.markets
        return changes

    def _collect_event(self, entry: EventEntry, seq: int, changes: Changes, urgent: list[MarketChange]) -> None:
        record = entry.record
        if record.description_at > seq:
            changes.events.append(EventChange(record.id, record.description, record.progress))
        elif record.progress_at > seq:
            changes.events.append(EventChange(record.id, None, record.progress))
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

    @staticmethod
    def _append_market(market: MarketRecord, seq: int, changes: Changes, urgent: list[MarketChange]) -> None:
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
        change = MarketChange(market.id, market.v, market.identity if whole else None, state, selections)
        if state is not None and state.status != "open":
            urgent.append(change)
        else:
            changes.markets.append(change)

    def _collect_removals(self, scope: str, seq: int, changes: Changes) -> None:
        kind, _, key = scope.partition(":")
        for removal in self._tombstones.since(seq):
            if removal.id in (self.markets if removal.what == "market" else self.events):
                continue  # it came back since; it stands among the changes, whole
            if (
                not kind
                or (kind == "event" and key == removal.event)
                or (kind == "sport" and key == removal.sport)
                or (kind == "competition" and key == removal.competition)
                or (kind == "market" and key == removal.id)
            ):
                changes.removals.append(removal)

    # -- bookkeeping ----------------------------------------------------------------------------------------------

    def _touch(self, entry: EventEntry, seq: int) -> None:
        entry.touched = max(seq, self._horizon)
        self._staged = True
        event = entry.record.id
        for scope in entry.scopes():
            recency = self._recency.get(scope)
            if recency is None:
                recency = self._recency[scope] = {}
            else:
                recency.pop(event, None)
            recency[event] = None

    def _leave_scopes(self, entry: EventEntry) -> None:
        for scope in entry.scopes():
            recency = self._recency[scope]
            recency.pop(entry.record.id, None)
            if not recency and scope != ALL:
                del self._recency[scope]

    def _redescribe(self, entry: EventEntry, description: EventDescription) -> None:
        self._leave_scopes(entry)
        entry.record.description = description
        self._touch(entry, entry.touched)

    def _add_event(self, record: EventRecord, seq: int) -> None:
        entry = self.events[record.id] = EventEntry(record)
        self._touch(entry, seq)

    def _bury(self, what: str, key: str, entry: EventEntry, seq: int) -> None:
        description = entry.record.description
        removal = Removal(
            "market" if what == "market" else "event", key, entry.record.id, description.sport, description.competition.id
        )
        self._bury_removal(removal, seq)

    def _bury_removal(self, removal: Removal, seq: int) -> None:
        self._tombstones.bury(removal, seq)
        self._staged = True

    def _remove_market(self, entry: EventEntry, market: MarketId, seq: int) -> None:
        del self.markets[market], entry.markets[market]
        self._bury("market", market, entry, seq)

    def _remove_event(self, entry: EventEntry, seq: int) -> None:
        self._leave_scopes(entry)
        del self.events[entry.record.id]
        self._bury("event", entry.record.id, entry, seq)

    def _apply_removal(self, removal: Removal, seq: int) -> None:
        entry = self.events.get(removal.event)
        if entry is not None and removal.what == "market":
            record = entry.markets.get(MarketId(removal.id))
            if record is not None:
                if record.at > seq:
                    return
                del self.markets[record.id], entry.markets[record.id]
                self._touch(entry, seq)
        elif entry is not None:
            if entry.record.description_at > seq:
                return
            for market in entry.markets:
                del self.markets[market]
            self._leave_scopes(entry)
            del self.events[removal.event]
        self._bury_removal(removal, seq)

    def _apply_event(self, change: EventChange, seq: int) -> None:
        entry = self.events.get(change.id)
        if entry is None:
            if change.description is not None and change.progress is not None:
                self._add_event(EventRecord(change.id, change.description, seq, change.progress, seq), seq)
            return
        record = entry.record
        if change.description is not None and record.description_at < seq:
            self._redescribe(entry, change.description)
            record.description_at = seq
        if change.progress is not None and record.progress_at < seq:
            record.progress = change.progress
            record.progress_at = seq
        self._touch(entry, max(entry.touched, seq))

    def _apply_market(self, change: MarketChange, seq: int) -> EventId | None:
        record = self.markets.get(change.id)
        if record is not None and record.at >= seq:
            return record.identity.event
        if change.identity is not None:
            entry = self.events.get(change.identity.event)
            if entry is None or change.state is None:
                return None
            record = MarketRecord(change.id, change.identity, seq, change.state, seq, change.v, seq, {})
            self.markets[change.id] = entry.markets[change.id] = record
        elif record is None:
            return None
        else:
            entry = self.events[record.identity.event]
            if change.state is not None:
                record.state = change.state
                record.state_at = seq
            record.v = change.v
            record.at = seq
        selections = record.selections
        for key, new in change.selections.items():
            selection = selections.get(key)
            if selection is None:
                selections[key] = SelectionRecord(new.name or key, new.status or "suspended", new.prices, seq, seq, seq)
            else:
                if new.name is not None:
                    selection.name = new.name
                    selection.name_at = seq
                if new.status is not None:
                    selection.status = new.status
                    selection.status_at = seq
                selection.prices = new.prices
                selection.at = seq
        self._touch(entry, seq)
        return record.identity.event


def record_key(record: Record) -> str:
    """Name a record's field in the snapshot hash."""
    if isinstance(record, MarketRecord):
        return f"m:{record.id}"
    if isinstance(record, EventRecord):
        return f"e:{record.id}"
    if isinstance(record, Tombstone):
        return f"t:{record.removal.what[0]}:{record.removal.id}"
    return "meta"
