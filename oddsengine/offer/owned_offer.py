"""The owner's end of an offer: stages states and commits what they changed as the batch of the next position.

The offer itself enforces that a market that is not open, or a selection that is not active, has no price.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from oddsengine.domain.changes import (
    Batch,
    EventDescription,
    EventProgress,
    EventRecord,
    MarketRecord,
    MarketTerms,
    Meta,
    Record,
    Removal,
    SettledMarket,
    Tombstone,
)
from oddsengine.domain.offered_market import OfferedMarket, OfferedSelection, PriceChange, has_moved
from oddsengine.offer.main_lines import MainLines, is_line
from oddsengine.offer.offer import TOMBSTONE_LIMIT, Offer
from oddsengine.offer.profile_places import move_profiles
from oddsengine.offer.selection_staging import stage_selections
from oddsengine.offer.settled_events import SettledEvent, SettledEvents, event_of, has_outcome, is_settled, revises

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oddsengine.domain.changes import Changes
    from oddsengine.domain.events import Event
    from oddsengine.domain.ids import EventId, MarketId
    from oddsengine.offer.change_index import EventEntry


class SnapshotUpdate(NamedTuple):
    """The changes of a batch to a stored snapshot.

    `written` are the records to write beside those of the changed markets, tombstones included; `removed` the markets and events
    whose records are obsolete, `dropped` the obsolete tombstones, and `settled` the markets that left with results.
    """

    written: list[Record]
    removed: list[Removal]
    dropped: list[Tombstone]
    settled: Sequence[SettledMarket] = ()


class OwnedOffer(Offer[MarketRecord]):
    """The offer of a shard that this process publishes.

    Args:
        profiles: names of the price profiles, in the order of every `prices`.
        tombstone_limit: how many removals to keep.
    """

    def __init__(self, profiles: Sequence[str] = ("default",), tombstone_limit: int = TOMBSTONE_LIMIT) -> None:
        super().__init__(profiles, tombstone_limit)
        self._settled = SettledEvents()
        #: markets that the last owner closed with results, which our sources may not know of
        self._final: set[MarketId] = set()
        #: markets with results that leave with the next batch
        self._leaving: list[tuple[MarketRecord, Removal]] = []
        #: how far the log of commands has been obeyed in what is staged
        self.commands = 0
        self._main_lines = MainLines()
        self._committed_commands = 0
        self._committed_ms = 0

    def load(self, epoch: int, seq: int, records: Iterable[Record]) -> None:
        """Replace the whole state by the records of a snapshot taken at a position."""
        all_records = list(records)
        markets = [(record.identity.event, record) for record in all_records if isinstance(record, MarketRecord)]
        others = [record for record in all_records if not isinstance(record, MarketRecord)]
        self._load(epoch, seq, others, markets)
        self._final = {market.id for market in self.markets.values() if market.state.status == "closed" and has_outcome(market)}
        self._main_lines = MainLines()
        for market in self.markets.values():
            if is_line(market.identity):
                self._main_lines.moved[market.id] = market

    def records(self) -> Iterator[Record]:
        """Yield the whole state as the records of a snapshot."""
        yield self.meta()
        for entry in self.events.values():
            yield entry.record
        yield from self.markets.values()
        yield from self._tombstones

    def meta(self) -> Meta:
        """Return the profiles of the prices and the oldest position with a diff."""
        return Meta(self.profiles, self.oldest_diffable)

    def stage_event(self, event: Event) -> None:
        """Stage the current state of an event. No-op if nothing of it changed."""
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
        self._index.touch(entry, pending)

    def stage_market(self, offered: OfferedMarket) -> bool:
        """Stage the current state of a market and return whether that changed anything.

        A selection that it no longer contains is kept with status `removed`. A market of an unknown event is not staged, nor is
        one that the last owner closed with results, until a source closes it here too.
        """
        entry = self.events.get(offered.identity.event)
        if entry is None:
            return False
        if offered.id in self._final:
            if offered.state.status != "closed":
                return False
            self._final.discard(offered.id)
        pending = self.seq + 1
        record = self.markets.get(offered.id)
        if record is not None and record.state.terms and not offered.state.terms:
            # Subscribers have to be sent that there are none any more.
            state = msgspec.structs.replace(offered.state, terms=(MarketTerms(),) * len(record.state.terms))
            offered = msgspec.structs.replace(offered, state=state)
        if record is not None and record.state.main_line is not None:
            state = msgspec.structs.replace(offered.state, main_line=record.state.main_line)
            offered = msgspec.structs.replace(offered, state=state)
        if record is None or record.identity != offered.identity:
            # Versions never restart, even under a new identity or after the market has left the offer.
            version = record.v if record is not None else self._settled.version(offered.identity.event, offered.id)
            record = MarketRecord(offered.id, offered.identity, pending, offered.state, pending, version, 0, {})
            self.markets[offered.id] = entry.markets[offered.id] = record
            changed = True
        elif record.state != offered.state:
            record.state = offered.state
            record.state_at = pending
            changed = True
        else:
            changed = False
        if stage_selections(record, offered, pending, self._no_prices):
            changed = True
        if changed:
            if is_line(record.identity):
                self._main_lines.moved[record.id] = record
            if record.at != pending:
                record.v += 1
                record.at = pending
            self._index.touch(entry, pending)
        return changed

    def stage_prices(self, market: MarketId, changes: Iterable[PriceChange]) -> bool:
        """Stage new prices of some selections of a market of which nothing else changed; return whether any changed.

        As for whole markets, one that is not open or not active gets no price.
        """
        record = self.markets.get(market)
        if record is None or record.state.status != "open":
            return False
        pending = self.seq + 1
        changed = False
        for key, prices, fair in changes:
            selection = record.selections[key]
            if (selection.prices != prices or has_moved(selection.fair, fair)) and selection.status == "active":
                selection.prices, selection.fair = prices, fair
                selection.at = pending
                changed = True
        if changed:
            if record.state.main_line is not None:
                self._main_lines.moved[market] = record
            if record.at != pending:
                record.v += 1
                record.at = pending
            self._index.touch(self.events[record.identity.event], pending)
        return changed

    def suspend_all(self, reason: str, *, limit: int | None = None) -> bool:
        """Stage the suspension of every open market, for example before the owner stops. Return whether none is left.

        Args:
            reason: why.
            limit: how many to suspend at most.
        """
        opened = [record.id for record in self.markets.values() if record.state.status == "open"]
        for market in opened[:limit]:
            self.suspend(market, reason)
        return limit is None or len(opened) <= limit

    def suspend(self, market: MarketId, reason: str) -> None:
        """Stage the suspension of a market. No-op if it is closed or unknown."""
        record = self.markets.get(market)
        if record is None or record.state.status == "closed":
            return
        state = msgspec.structs.replace(record.state, status="suspended", reason=reason)
        self.stage_market(OfferedMarket(market, record.identity, state, self._without_prices(record)))

    def remove_event(self, event: EventId, closed_by: frozenset[str] | None = None) -> None:
        """Stage the removal of an event and all its markets. No-op if it is unknown.

        Args:
            event: the event.
            closed_by: the sources that closed its markets, whose results are kept; None if there are no results to keep.
        """
        entry = self.events.get(event)
        if entry is None:
            return
        pending = self.seq + 1
        settled: dict[MarketId, MarketRecord] = {}
        for market, record in list(entry.markets.items()):
            removal = self._remove_market(entry, market, pending)
            if closed_by is not None and is_settled(record):
                settled[market] = record
                self._leaving.append((record, removal))
        if closed_by is not None and settled:
            self._settled.add(SettledEvent(entry.record, settled, closed_by))
        self._remove_event(entry, pending)

    def bring_back(self, revised: OfferedMarket, source: str) -> Event | None:
        """Stage an event that has left the offer again, with its markets, where a market's result was revised or taken back.

        Only a source that closed the event's markets can revise them: another one may just not know that they have ended.

        Args:
            revised: the market as it is now; it is not staged.
            source: the source that says so.

        Returns:
            the event, None if it has not left with this market or nothing was revised.
        """
        left = self._settled.get(revised.identity.event)
        record = None if left is None else left.markets.get(revised.id)
        if left is None or record is None or source not in left.closed_by or not revises(revised, record):
            return None
        event = event_of(left.record)
        self.stage_event(event)
        for market in left.markets.values():
            # The profiles may have changed since it left.
            state = msgspec.structs.replace(market.state, terms=())
            self.stage_market(OfferedMarket(market.id, market.identity, state, self._without_prices(market)))
        self._settled.pop(event.id)
        return event

    def _without_prices(self, market: MarketRecord) -> dict[str, OfferedSelection]:
        return {
            key: OfferedSelection(selection.name, selection.status, self._no_prices, selection.result, selection.order)
            for key, selection in market.selections.items()
        }

    @property
    def has_staged(self) -> bool:
        """Whether anything was staged since the last commit, even if it was removed again."""
        return max(self._index.newest, self._tombstones.newest) > self.seq

    def commit(self, ts_ms: int, *, heartbeat: bool = False) -> Batch | None:
        """Return all changes staged since the last commit as the batch of the next position, None if there are none.

        Args:
            ts_ms: time of publication, Unix milliseconds.
            heartbeat: return an empty batch, which is a new position too, if there are no changes.
        """
        # Whoever waits for a command to be obeyed is notified also where it changes nothing.
        heartbeat = heartbeat or self.commands != self._committed_commands
        self._committed_ms = ts_ms
        if self._main_lines.is_due(ts_ms):
            self._mark_main_lines(ts_ms)
        if not self.has_staged and not heartbeat:
            return None
        changes = self.changes_since(self.seq)
        self._tombstones.drop_oldest()
        if not changes and not heartbeat:
            return None
        self.seq += 1
        self._committed_commands = self.commands
        return Batch(ts_ms, changes.events, changes.markets, changes.removals, changes.urgent, self.commands)

    def change_profiles(self, profiles: Sequence[str]) -> None:
        """Set the profiles of all prices; new ones have none yet. No diff says so: the next write must open an epoch."""
        if self.profiles != tuple(profiles):
            move_profiles(self.markets.values(), self.profiles, profiles)
            self._set_profiles(profiles)

    def open_epoch(self, epoch: int) -> Changes:
        """Start a new epoch, with the current state at position 0, and return what was staged since the last commit."""
        if self._main_lines.moved:
            # Not by the epoch, which may be hours ahead of the time.
            self._mark_main_lines(self._committed_ms)
        staged = self.changes_since(self.seq)
        self.epoch = epoch
        self.seq = 0
        self._tombstones.clear()
        self._index.reset_positions()
        for entry in self.events.values():
            entry.record.description_at = entry.record.progress_at = 0
        for record in self.markets.values():
            record.at = record.created_at = record.state_at = 0
            for selection in record.selections.values():
                selection.at = selection.status_at = selection.name_at = selection.result_at = 0
        return staged

    def snapshot_update(self, batch: Batch) -> SnapshotUpdate:
        """Return what the batch just committed changes in a stored snapshot."""
        written: list[Record] = [self.events[change.id].record for change in batch.events]
        if not batch.removals:
            return SnapshotUpdate(written, [], [])
        written += [Tombstone(removal, self.seq) for removal in batch.removals]
        dropped = self._tombstones.take_dropped()
        if dropped:
            written.append(self.meta())
        settled = [SettledMarket(record, removal, batch.ts_ms) for record, removal in self._leaving]
        self._leaving = []
        return SnapshotUpdate(written, batch.removals, dropped, settled)

    def _mark_main_lines(self, now_ms: int) -> None:
        """Stage which lines are, or no longer are, the main ones."""
        pending = self.seq + 1
        for market, is_main in self._main_lines.settle(self.markets, now_ms).items():
            record = self.markets[market]
            record.state = msgspec.structs.replace(record.state, main_line=is_main)
            record.state_at = pending
            if record.at != pending:
                record.v += 1
                record.at = pending
            self._index.touch(self.events[record.identity.event], pending)

    def _remove_market(self, entry: EventEntry[MarketRecord], market: MarketId, seq: int) -> Removal:
        del self.markets[market], entry.markets[market]
        self._final.discard(market)
        self._main_lines.remove(market)
        return self._add_tombstone("market", market, entry.record, seq)

    def _remove_event(self, entry: EventEntry[MarketRecord], seq: int) -> None:
        self._index.discard(entry)
        del self.events[entry.record.id]
        self._add_tombstone("event", entry.record.id, entry.record, seq)

    def _add_tombstone(self, kind: Literal["market", "event"], key: str, event: EventRecord, seq: int) -> Removal:
        description = event.description
        removal = Removal(kind, key, event.id, description.sport, description.competition.id)
        self._tombstones.add(removal, seq)
        return removal
