"""The owner's end of the offer: states are put in, and all that they changed is cut as the batch of the next position.

Whatever is put, a market that is not open and a selection that is not active have no price: the offer itself sees to it.

Pure: time is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from oddsengine.domain.changes import (
    Batch,
    EventDescription,
    EventProgress,
    EventRecord,
    MarketRecord,
    MarketState,
    Record,
    Removal,
    SelectionRecord,
    Tombstone,
)
from oddsengine.domain.offered_market import OfferedMarket, OfferedSelection
from oddsengine.offer.offer import Offer, record_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oddsengine.domain.events import Event
    from oddsengine.domain.ids import EventId, MarketId
    from oddsengine.offer.change_index import EventEntry


class OwnedOffer(Offer):
    """The offer of a shard that this process publishes."""

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
        self._index.touch(entry, pending)

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
            self._index.touch(entry, pending)
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
            self._index.touch(self.events[record.identity.event], pending)
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
            self._index.touch(entry, self.seq + 1)

    @property
    def has_staged(self) -> bool:
        """Whether anything was put since the last cut, if only to be taken away again."""
        return max(self._index.newest, self._tombstones.newest) > self.seq

    def cut(self, ts_ms: int, *, sign_of_life: bool = False) -> Batch | None:
        """Take all that was staged since the last cut as the batch of the next position.

        Args:
            ts_ms: the time of publication, Unix milliseconds.
            sign_of_life: give an empty batch, and so a new position, even when nothing changed.
        """
        if not self.has_staged and not sign_of_life:
            return None
        changes = self.changes_since(self.seq)
        self._tombstones.forget_oldest()
        if not changes and not sign_of_life:
            return None
        self.seq += 1
        return Batch(ts_ms, changes.events, changes.markets, changes.removals, changes.urgent)

    def adopt_profiles(self, profiles: Sequence[str]) -> None:
        """Say what the prices put from now on stand for; only while nothing is on offer."""
        assert not self.markets, "profiles can't change under markets on offer"  # noqa: S101 - a caller's mistake
        self._mean(profiles)

    def open_epoch(self, epoch: int) -> None:
        """Begin a new epoch with the state as it stands as its position 0; older positions have no diff any more."""
        self.epoch = epoch
        self.seq = 0
        self._tombstones.clear()
        self._index.rewind()
        for entry in self.events.values():
            entry.record.description_at = entry.record.progress_at = 0
        for record in self.markets.values():
            record.at = record.created_at = record.state_at = 0
            for selection in record.selections.values():
                selection.at = selection.status_at = selection.name_at = 0

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

    def _remove_market(self, entry: EventEntry, market: MarketId, seq: int) -> None:
        del self.markets[market], entry.markets[market]
        self._bury("market", market, entry.record, seq)

    def _remove_event(self, entry: EventEntry, seq: int) -> None:
        self._index.leave(entry)
        del self.events[entry.record.id]
        self._bury("event", entry.record.id, entry.record, seq)

    def _bury(self, what: Literal["market", "event"], key: str, event: EventRecord, seq: int) -> None:
        description = event.description
        self._tombstones.bury(Removal(what, key, event.id, description.sport, description.competition.id), seq)
