"""The reading end of an offer: takes over its owner's entries, each at its position. Doing so twice is harmless.

A market is held as it was received, and decoded when somebody asks for it: most are replaced before anybody does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from oddsengine.common import speedups
from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.domain.changes import (
    EventRecord,
    MarketIdentity,
    MarketRecord,
    MarketState,
    Meta,
    Removal,
    SelectionRecord,
    Tombstone,
)
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.offer.offer import BEGINNING, Offer
from oddsengine.offer.profile_places import move_profiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from oddsengine.domain.changes import Record
    from oddsengine.offer.change_index import EventEntry
    from oddsengine.offer.entries.entry import Entry

#: Reason of a market whose record can't be read.
UNREADABLE: Final = "unreadable"
_decode: Final = msgspec.msgpack.Decoder(MarketRecord).decode


class _EventOf(msgspec.Struct, array_like=True, gc=False):
    """The event that a market's identity begins with."""

    event: EventId


class _Head(msgspec.Struct, array_like=True, tag="m", gc=False):
    """The part of a market's record that is decoded at once."""

    id: MarketId
    identity: _EventOf
    created_at: int
    state: msgspec.Raw
    state_at: int
    v: int
    at: int


_decode_head: Final = msgspec.msgpack.Decoder(_Head).decode


class LazyMarket(msgspec.Struct, gc=False):
    """A market of a replica, encoded as it was received until somebody asks for its content.

    Attributes:
        id: the market.
        event: its event.
        at: the position of its last change.
        profiles: how many profiles have prices.
        held: its record, encoded or decoded.
    """

    id: MarketId
    event: EventId
    at: int
    profiles: int
    held: bytes | MarketRecord

    @property
    def record(self) -> MarketRecord:
        """The whole market. One that can't be read may be wrong: it is suspended, without selections."""
        held = self.held
        if isinstance(held, MarketRecord):
            return held
        try:
            record = _decode(held)
            check_prices(record, self.profiles)
        except (*DECODING_ERRORS, ValueError):
            record = self._unreadable(held)
        self.held = record
        return record

    def _unreadable(self, held: bytes) -> MarketRecord:
        try:
            v = _decode_head(held).v
        except DECODING_ERRORS:
            v = 0
        identity, state = MarketIdentity(self.event, "other"), MarketState("suspended", UNREADABLE, in_play=False)
        return MarketRecord(self.id, identity, self.at, state, self.at, v, self.at, {})

    @property
    def identity(self) -> MarketIdentity:
        """See `MarketRecord`, as for the others."""
        return self.record.identity

    @property
    def created_at(self) -> int:
        """The position at which it came on offer."""
        return self.record.created_at

    @property
    def state(self) -> MarketState:
        """Whether it takes bets."""
        return self.record.state

    @property
    def state_at(self) -> int:
        """The position at which that last changed."""
        return self.record.state_at

    @property
    def v(self) -> int:
        """Its version."""
        return self.record.v

    @property
    def selections(self) -> dict[str, SelectionRecord]:
        """Its selections."""
        return self.record.selections


def lazy_market(encoded: bytes, profiles: int) -> LazyMarket:
    """Return a market whose encoded record is decoded once it is asked for.

    Raises:
        MsgspecError: if it is none.
    """
    head = _decode_head(encoded)
    return LazyMarket(head.id, head.identity.event, head.at, profiles, encoded)


def take_over_in_python(markets: dict[MarketId, LazyMarket], ids: list[MarketId], records: list[bytes], seq: int) -> bool:
    """Note the records of markets at a position. Return whether any of them is new, which is not noted."""
    has_new = False
    for market, record in zip(ids, records, strict=True):
        known = markets.get(market)
        if known is None:
            has_new = True
        elif known.at < seq:
            known.held = record
            known.at = seq
    return has_new


def check_prices(market: MarketRecord, profiles: int) -> None:
    """Raise ValueError unless each selection has a price, or None, for each profile, and the market terms for all or none."""
    if market.state.terms and len(market.state.terms) != profiles:
        raise ValueError(f"market {market.id} has terms of {len(market.state.terms)} profiles, not of {profiles}")
    for selection in market.selections.values():
        if len(selection.prices) != profiles:
            raise ValueError(f"market {market.id} has prices of {len(selection.prices)} profiles, not of {profiles}")


class ReplicaOffer(Offer[LazyMarket]):
    """A copy of an offer that another process publishes, or another role of this one."""

    #: how far the log of commands has been obeyed in it; 0 while that is not known
    commands = 0

    def load(self, epoch: int, seq: int, records: Iterable[Record | LazyMarket]) -> None:
        """Replace the whole state by a snapshot taken at a position.

        How far commands were obeyed in it is known with the next entry.
        """
        markets: list[tuple[EventId, LazyMarket]] = []
        others: list[EventRecord | Tombstone | Meta] = []
        for record in records:
            if isinstance(record, LazyMarket):
                markets.append((record.event, record))
            elif isinstance(record, MarketRecord):
                event = record.identity.event
                markets.append((event, LazyMarket(record.id, event, record.at, 0, record)))
            else:
                others.append(record)
        self._load(epoch, seq, others, markets)
        profiles = len(self.profiles)
        for market in self.markets.values():
            market.profiles = profiles
        self.commands = 0

    def open_epoch(self, epoch: int, profiles: Sequence[str]) -> None:
        """Begin an epoch with the state that its first entry is a diff to, which is to be applied next, at position 0.

        Args:
            epoch: the epoch.
            profiles: the profiles of its prices.
        """
        if self.profiles != tuple(profiles):
            move_profiles([market.record for market in self.markets.values()], self.profiles, profiles)
            self._set_profiles(profiles)
        self.epoch, self.seq = epoch, BEGINNING
        self._tombstones.clear()
        self._index.reset_positions()
        for entry in self.events.values():
            entry.record.description_at = entry.record.progress_at = BEGINNING
        for market in self.markets.values():
            market.at, market.profiles = BEGINNING, len(profiles)

    @property
    def loaded_seq(self) -> int:
        """Newest position in the snapshot loaded: changes up to it may be in the state already, or out of date."""
        return self._index.loaded_seq

    def records(self) -> Iterator[Record]:
        """Yield the whole state as the records of a snapshot."""
        yield Meta(self.profiles, self.oldest_diffable)
        for entry in self.events.values():
            yield entry.record
        for market in self.markets.values():
            yield market.record
        yield from self._tombstones

    def market(self, market: str) -> MarketRecord | None:
        """Return a market on offer, None if there is none."""
        held = self.markets.get(MarketId(market))
        return None if held is None else held.record

    def apply(self, entry: Entry) -> None:
        """Take over the entry of the next position.

        State at or past that position, read from a later snapshot, is not changed.
        """
        seq = entry.seq
        for removal in entry.removals:
            self._apply_removal(removal, seq)
        for event in entry.events:
            self._apply_event(event, seq)
        self._index.touch_runs(self.events, entry.runs, seq)
        take_over = take_over_in_python if speedups.gateway_loops is None else speedups.gateway_loops.take_over
        if take_over(self.markets, entry.markets, entry.records, seq):
            self._add_markets(entry)
        self.seq = max(self.seq, seq)
        self.commands = entry.commands
        self._tombstones.drop_oldest()

    def _add_markets(self, entry: Entry) -> None:
        start, profiles = 0, len(self.profiles)
        for event, count in entry.runs:
            of_event, end = self.events.get(event), start + count
            for index in range(start, end):
                market = entry.markets[index]
                if of_event is not None and market not in self.markets:
                    held = LazyMarket(market, event, entry.seq, profiles, entry.records[index])
                    self.markets[market] = of_event.markets[market] = held
            start = end

    def _apply_removal(self, removal: Removal, seq: int) -> None:
        entry = self.events.get(removal.event)
        if entry is not None and removal.kind == "market":
            market = entry.markets.get(MarketId(removal.id))
            if market is not None:
                if market.at > seq:
                    return
                del self.markets[market.id], entry.markets[market.id]
                self._index.touch(entry, seq)
        elif entry is not None:
            if entry.record.description_at > seq:
                return
            for key in entry.markets:
                del self.markets[key]
            self._index.discard(entry)
            del self.events[removal.event]
        self._tombstones.add(removal, seq)

    def _apply_event(self, record: EventRecord, seq: int) -> None:
        entry = self.events.get(record.id)
        if entry is None:
            self._add_event(record, seq)
            return
        self._replace(entry, record)
        self._index.touch(entry, max(entry.touched, seq))

    def _replace(self, entry: EventEntry[LazyMarket], record: EventRecord) -> None:
        known = entry.record
        if record.description_at > known.description_at:
            self._redescribe(entry, record.description)
            known.description_at = record.description_at
        if record.progress_at > known.progress_at:
            known.progress, known.progress_at = record.progress, record.progress_at
