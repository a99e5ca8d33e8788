"""Turns the entries of one shard into rows, and keeps the state that they lead to.

A question about a market is answered from its last whole state (a record) and the changes since. So that these are few, the whole
state is written again after every `CHANGES_PER_RECORD` changes; and so that no day needs an earlier one, which may be dropped, at
the beginning of each day too.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.history.rows.cutting import clamp_time, cut_or_keep
from oddsengine.history.rows.tables import (
    NOTHING,
    ChangeRow,
    EntryRow,
    GapBody,
    GapRow,
    RecordKind,
    RecordRow,
    ShardPosition,
    key_of,
    record_digest,
)
from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.streams.chain.entries import LoadedShard
from oddsengine.streams.chain.links import NO_LINK, digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oddsengine.domain.ids import MarketId
    from oddsengine.history.rows.cutting import CutEntry
    from oddsengine.offer.entries.entry import Entry
    from oddsengine.offer.replica_offer import LazyMarket
    from oddsengine.streams.chain.entries import TailEntry
    from oddsengine.streams.chain.links import Link
    from oddsengine.streams.positions import Position

#: A question about a market reads at most so many changes.
CHANGES_PER_RECORD: Final = 32
DAY_MS: Final = 86_400_000
#: Why the history of a shard does not have what was before: it begins here.
BEGINNING: Final = "beginning"
#: Why the state is not known: an entry does not say all that has changed, or can't be read.
INCOMPLETE: Final = "incomplete"
_encode: Final = msgspec.msgpack.Encoder().encode


class ShardBatch(NamedTuple):
    """Rows of a shard to be written together, with the positions before and after them."""

    shard: int
    before: ShardPosition
    after: ShardPosition
    entries: list[EntryRow]
    changes: list[ChangeRow]
    records: list[RecordRow]
    gaps: list[GapRow]

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.entries) + len(self.changes) + len(self.records) + len(self.gaps)


class ShardRows:
    """The rows of one shard that are not taken yet.

    Args:
        shard: the shard.
        position: how far its history reaches in the database.
        offer: the state at that position.
    """

    def __init__(self, shard: int, position: ShardPosition = NOTHING, offer: ReplicaOffer | None = None) -> None:
        self.shard = shard
        self.offer = offer or ReplicaOffer(())
        self._written = position
        self.position = position
        self._keys: dict[str, int] = {}
        #: market -> how many changes since its last record
        self._changes_since: dict[MarketId, int] = {}
        #: the gap after which the state is not known yet, and the snapshot that it will be known from
        self._gap: GapRow | None = None
        self._loaded: LoadedShard | None = None
        self._clear()

    def _clear(self) -> None:
        self._entries: list[EntryRow] = []
        self._changes: list[ChangeRow] = []
        self._records: list[RecordRow] = []
        self._gaps: list[GapRow] = []

    @property
    def size(self) -> int:
        """The number of rows that are not taken."""
        return len(self._entries) + len(self._changes) + len(self._records)

    def take(self) -> ShardBatch | None:
        """Return all rows that were added since the last call, None if there are none."""
        if self.position == self._written:
            return None
        before, self._written = self._written, self.position
        batch = ShardBatch(self.shard, before, self.position, self._entries, self._changes, self._records, self._gaps)
        self._clear()
        return batch

    @property
    def is_known(self) -> bool:
        """Whether the state at the position is known. If not, a snapshot is needed, or its position was not reached yet."""
        return self._gap is None

    @property
    def needs_snapshot(self) -> bool:
        """Whether `use` must be called before entries are added."""
        return self._gap is not None and self._loaded is None

    def begin_gap(self, first: TailEntry, reason: str) -> None:
        """Note that entries are missing before one. Call `use` next, if that `needs_snapshot`.

        Args:
            first: the entry to be added next.
            reason: why they are missing.
        """
        after = self.position
        decoded = cut_or_keep(first.batch).entry
        at_ms = clamp_time(decoded, after.at_ms)
        body = GapBody(after.epoch, after.seq, *first.position, first.digest, digest_of(b"", first.batch), reason)
        # That of the beginning has nothing before it, and is kept as long as what comes after.
        self._add(RecordKind.GAP, self.shard, _encode(body), at_ms if reason == BEGINNING else after.at_ms)
        limits = (after.epoch, after.seq, after.at_ms, *first.position, at_ms, first.digest)
        self._gap = GapRow(self.shard, *limits, None, self.position.number, reason)
        self._gaps.append(self._gap)
        self._loaded = None if reason == INCOMPLETE else _begun_with(first, decoded)

    def continue_gap(self, gap: GapRow) -> None:
        """Continue a gap that an earlier process has begun. Call `use` next."""
        self._gap, self._loaded = gap, None

    def use(self, loaded: LoadedShard) -> None:
        """Take over a snapshot once its entry is added. One that is older than the position is of no use."""
        if loaded.top.position < self.position[:2]:
            return
        self._loaded = loaded
        if loaded.top.position == self.position[:2]:
            self._load(loaded)

    def add(self, entry: TailEntry) -> None:
        """Add the entry that follows the last one, or that is the first after a gap."""
        parts = cut_or_keep(entry.batch)
        decoded = parts.entry
        at_ms = clamp_time(decoded, self.position.at_ms)
        self._open_day(at_ms)
        self._add_entry(entry, parts, at_ms)
        if self._gap is not None:
            if self._loaded is not None and self._loaded.top.position == entry.position:
                self._load(self._loaded)
        elif decoded is None or not self._apply(decoded, entry.position):
            self.begin_gap(entry, INCOMPLETE)

    def _apply(self, entry: Entry, position: Position) -> bool:
        """Apply an entry to the state. Return False if it does not say what the state is after it, or can't be read."""
        if entry.seq != position.seq or (position.seq == 0 and not entry.profiles):
            return False
        moved = position.seq == 0 and entry.profiles != self.offer.profiles
        if position.seq == 0:
            self.offer.open_epoch(position.epoch, entry.profiles)
        of_events = [self._markets_of(removal.id) for removal in entry.removals if removal.kind == "event"]
        try:
            self.offer.apply(entry)
        except (*DECODING_ERRORS, LookupError, ValueError):
            return False
        for removal in entry.removals:
            self._leave(RecordKind.MARKET_LEFT if removal.kind == "market" else RecordKind.EVENT_LEFT, removal.id)
        named = {removal.id for removal in entry.removals}
        for gone in chain.from_iterable(of_events):
            if gone not in named:
                self._leave(RecordKind.MARKET_LEFT, gone)
        for event in entry.events:
            self._add_record(RecordKind.EVENT, event.id, _encode(event))
        if moved:
            # Prices have other places: no change before this is to be applied to what comes after it.
            self._add_profiles()
            for market in self.offer.markets.values():
                self._add_market(market)
        else:
            self._count_changes(entry)
        return True

    def _load(self, loaded: LoadedShard) -> None:
        """Take over a whole state, and record how it differs from the one before the gap."""
        before, self.offer = self.offer, ReplicaOffer(())
        self.offer.load(*loaded.top.position, loaded.records)
        assert self._gap is not None  # noqa: S101 - it is called for a gap
        self._gaps.append(self._gap._replace(known_ms=self.position.at_ms))
        self._gap = self._loaded = None
        self._add_profiles()
        for event in before.events.keys() - self.offer.events.keys():
            self._leave(RecordKind.EVENT_LEFT, event)
        for market in before.markets.keys() - self.offer.markets.keys():
            self._leave(RecordKind.MARKET_LEFT, market)
        for entry in self.offer.events.values():
            self._add_record(RecordKind.EVENT, entry.record.id, _encode(entry.record))
        for held in self.offer.markets.values():
            self._add_market(held)

    def _open_day(self, at_ms: int) -> None:
        """Record the whole state where a day begins, or several have."""
        last = self.position.at_ms
        if not last or at_ms // DAY_MS <= last // DAY_MS or self._gap is not None:
            return
        self.position = self.position._replace(at_ms=at_ms // DAY_MS * DAY_MS)
        self._add_profiles()
        for event, entry in self.offer.events.items():
            self._add_record(RecordKind.EVENT, event, _encode(entry.record))
        for held in self.offer.markets.values():
            self._add_market(held)

    def _add_entry(self, entry: TailEntry, parts: CutEntry, at_ms: int) -> None:
        (epoch, seq), shard, keys = entry.position, self.shard, self._keys
        markets, changes = parts.entry.markets if parts.entry is not None else (), self._changes
        for ordinal, (market, piece) in enumerate(zip(markets, parts.pieces, strict=True)):
            key = keys.get(market)
            if key is None:
                key = keys[market] = key_of(market)
            changes.append(ChangeRow(at_ms, key, epoch, seq, ordinal, shard, piece))
        follows = _columns(entry.follows)
        count, digest = len(parts.pieces), entry.digest
        row = EntryRow(at_ms, epoch, seq, follows[0], follows[1], shard, count, follows[2], digest, parts.head, parts.tail)
        self._entries.append(row)
        self.position = ShardPosition(epoch, seq, digest, at_ms, self.position.number, self.position.record_digest)

    def _count_changes(self, entry: Entry) -> None:
        since = self._changes_since
        for market, record in zip(entry.markets, entry.records, strict=True):
            # A market of which nothing was counted is new, or this process has not written its last record.
            count = since.get(market, CHANGES_PER_RECORD) + 1
            if count >= CHANGES_PER_RECORD:
                self._add_record(RecordKind.MARKET, market, record)
                count = 0
            since[market] = count

    def _markets_of(self, event: str) -> Iterable[MarketId]:
        entry = self.offer.events.get(event)  # type: ignore[call-overload]
        return () if entry is None else tuple(entry.markets)

    def _leave(self, kind: RecordKind, name: str) -> None:
        self._add_record(kind, name, name.encode())
        self._keys.pop(name, None)
        self._changes_since.pop(name, None)  # type: ignore[call-overload]

    def _add_market(self, market: LazyMarket) -> None:
        held = market.held
        self._add_record(RecordKind.MARKET, market.id, held if isinstance(held, bytes) else _encode(held))
        self._changes_since[market.id] = 0

    def _add_profiles(self) -> None:
        self._add(RecordKind.PROFILES, self.shard, _encode(self.offer.profiles))

    def _add_record(self, kind: RecordKind, name: str, body: bytes) -> None:
        key = self._keys.get(name)
        if key is None:
            key = self._keys[name] = key_of(name)
        self._add(kind, key, body)

    def _add(self, kind: RecordKind, key: int, body: bytes, at_ms: int | None = None) -> None:
        epoch, seq, _, last_ms, number, previous = self.position
        row = RecordRow(last_ms if at_ms is None else at_ms, key, number + 1, epoch, seq, self.shard, kind, b"", body)
        digest = record_digest(previous, row)
        self._records.append(row._replace(digest=digest))
        self.position = self.position._replace(number=number + 1, record_digest=digest)


def _begun_with(first: TailEntry, decoded: Entry | None) -> LoadedShard | None:
    """Return the whole state after the first entry of an epoch that was begun with nothing, as where Redis was emptied."""
    if decoded is None or first.position.seq or first.follows != NO_LINK or not decoded.profiles:
        return None
    offer = ReplicaOffer(())
    offer.open_epoch(first.position.epoch, decoded.profiles)
    try:
        offer.apply(decoded)
    except (*DECODING_ERRORS, LookupError, ValueError):
        return None
    return LoadedShard(first, list(offer.records()))


def _columns(follows: Link | None) -> tuple[int | None, int | None, bytes | None]:
    return (None, None, None) if follows is None else (*follows.position, follows.digest)
