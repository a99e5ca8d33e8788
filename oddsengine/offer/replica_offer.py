"""The reading end of an offer: applies its owner's batches, each at its position. Applying one twice is harmless."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.changes import (
    Batch,
    EventChange,
    EventRecord,
    MarketChange,
    MarketRecord,
    Removal,
    SelectionRecord,
)
from oddsengine.domain.ids import MarketId
from oddsengine.offer.offer import BEGINNING, Offer
from oddsengine.offer.profile_places import move_profiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oddsengine.domain.changes import Record


class ReplicaOffer(Offer):
    """A copy of an offer that another process publishes, or another role of this one."""

    #: how far the log of commands has been obeyed in it; 0 while that is not known
    commands = 0

    def load(self, epoch: int, seq: int, records: Iterable[Record]) -> None:
        """Replace the whole state; see `Offer.load`. How far commands were obeyed in it is known with the next batch."""
        super().load(epoch, seq, records)
        self.commands = 0

    def open_epoch(self, epoch: int, profiles: Sequence[str]) -> None:
        """Begin an epoch with the state that its first batch is a diff to, which is to be applied next, at position 0.

        Args:
            epoch: the epoch.
            profiles: the profiles of its prices.
        """
        if self.profiles != tuple(profiles):
            move_profiles(self.markets.values(), self.profiles, profiles)
            self._set_profiles(profiles)
        self.epoch, self.seq = epoch, BEGINNING
        self._tombstones.clear()
        self._index.reset_positions()
        for entry in self.events.values():
            entry.record.description_at = entry.record.progress_at = BEGINNING
        for record in self.markets.values():
            record.at = record.created_at = record.state_at = BEGINNING

    @property
    def loaded_seq(self) -> int:
        """Newest position in the snapshot loaded: changes up to it may be in the state already, or out of date."""
        return self._index.loaded_seq

    def apply(self, seq: int, batch: Batch) -> None:
        """Apply the batch of a position.

        State at or past that position, read from a later snapshot, is not changed.
        """
        for removal in batch.removals:
            self._apply_removal(removal, seq)
        for event in batch.events:
            self._apply_event(event, seq)
        for market in batch.markets:
            self._apply_market(market, seq)
        self.seq = max(self.seq, seq)
        self.commands = batch.commands
        self._tombstones.drop_oldest()

    def _apply_removal(self, removal: Removal, seq: int) -> None:
        entry = self.events.get(removal.event)
        if entry is not None and removal.what == "market":
            record = entry.markets.get(MarketId(removal.id))
            if record is not None:
                if record.at > seq:
                    return
                del self.markets[record.id], entry.markets[record.id]
                self._index.touch(entry, seq)
        elif entry is not None:
            if entry.record.description_at > seq:
                return
            for market in entry.markets:
                del self.markets[market]
            self._index.discard(entry)
            del self.events[removal.event]
        self._tombstones.add(removal, seq)

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
        self._index.touch(entry, max(entry.touched, seq))

    def _apply_market(self, change: MarketChange, seq: int) -> None:
        record = self.markets.get(change.id)
        if record is not None and record.at >= seq:
            return
        if change.identity is not None:
            entry = self.events.get(change.identity.event)
            if entry is None or change.state is None:
                return
            record = MarketRecord(change.id, change.identity, seq, change.state, seq, change.v, seq, {})
            self.markets[change.id] = entry.markets[change.id] = record
        elif record is None:
            return
        else:
            entry = self.events[record.identity.event]
        apply_change(record, change, seq)
        self._index.touch(entry, seq)


def apply_change(record: MarketRecord, change: MarketChange, seq: int) -> None:
    """Apply a change of a position to the record of a market; one with an identity, to an empty record made of it."""
    if change.identity is None:
        if change.state is not None:
            record.state = change.state
            record.state_at = seq
        record.v = change.v
        record.at = seq
    selections = record.selections
    for key, new in change.selections.items():
        selection = selections.get(key)
        if selection is None:
            selections[key] = SelectionRecord(
                new.name or key, new.status or "suspended", new.prices, seq, seq, seq, new.result, seq, new.order, new.fair
            )
        else:
            if new.name is not None:
                selection.name, selection.order = new.name, new.order
                selection.name_at = seq
            if new.status is not None:
                selection.status = new.status
                selection.status_at = seq
            if new.result is not None:
                selection.result = new.result
                selection.result_at = seq
            selection.prices, selection.fair = new.prices, new.fair
            selection.at = seq
