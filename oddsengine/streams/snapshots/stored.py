"""The stored state of a shard: its snapshot, and the entries of its stream since then, which together are its present state.

The snapshot is a hash with a field for each record: `m:<market>`, `e:<event>`, `t:m:<market>`, `t:e:<event>` and `meta`. Its
owner brings it up to the stream from time to time; it says of which position it is. Some of its records may be newer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import structlog

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.domain.changes import EventRecord, MarketRecord, Meta, Record, Tombstone
from oddsengine.offer.entries.entry import Entry, decode_entry
from oddsengine.offer.replica_offer import LazyMarket, ReplicaOffer, lazy_market
from oddsengine.streams.keys import BATCH_FIELD, WHOLE_FIELD
from oddsengine.streams.lua import load_script
from oddsengine.streams.positions import ORIGIN, Position, parse_stream_id

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oddsengine.offer.owned_offer import SnapshotUpdate
    from oddsengine.streams.keys import ShardKeys

_SCAN_COUNT: Final = 1000
#: Few: an entry may have megabytes.
_READ_COUNT: Final = 50
_MARKET: Final = b"m:"
_decode_record = msgspec.msgpack.Decoder(Record).decode
_log = structlog.get_logger(__name__)


def record_key(record: Record) -> str:
    """Return the field of a record."""
    if isinstance(record, MarketRecord):
        return f"m:{record.id}"
    if isinstance(record, EventRecord):
        return f"e:{record.id}"
    if isinstance(record, Tombstone):
        return f"t:{record.removal.kind[0]}:{record.removal.id}"
    return "meta"


def obsolete_keys(update: SnapshotUpdate) -> list[str]:
    """Return the fields that an update deletes."""
    return [
        *(f"{removal.kind[0]}:{removal.id}" for removal in update.removed),
        *(record_key(tombstone) for tombstone in update.dropped),
    ]


async def read_top(redis: Redis, stream: str) -> Position:
    """Return the position of a stream's last entry, or `ORIGIN` if it is empty."""
    entries: Any = await redis.xrevrange(stream, count=1)
    return parse_stream_id(entries[0][0]) if entries else ORIGIN


class Head(NamedTuple):
    """The end of a shard's stream, the position of its snapshot, and the server on which that is so.

    `snapshot` is None if records of it are missing, or it is of no position of the stream's epoch; `stated` is the position that
    it says it is of, all the same. `server` changes with a restart, and is empty where the user of Redis may not ask for it;
    `digest` is that of the last entry, empty if it has none. `server_ms` is its time, Unix milliseconds.
    """

    top: Position
    snapshot: Position | None
    stated: Position | None
    server: str = ""
    digest: bytes = b""
    server_ms: int = 0


async def read_head(redis: Redis, keys: ShardKeys) -> Head:
    """Return a shard's head, read in one moment."""
    script: Any = redis.register_script(load_script("read_head"))
    last, fields, whole, server, digest, server_ms = await script(keys=list(keys))
    top = parse_stream_id(last)
    count, _, stream_id = whole.partition(b"@")
    try:
        stated = parse_stream_id(stream_id)
    except ValueError:
        stated = None
    is_usable = count == b"%d" % fields and stated is not None and stated.epoch == top.epoch and stated <= top
    return Head(top, stated if is_usable else None, stated, server.decode(), digest, server_ms)


class Stored(NamedTuple):
    """The stored state of a shard: its head, the records of its snapshot, how many can't be used, and the entries since then.

    `is_whole` says whether nothing is missing between the snapshot and the end of the stream.
    """

    head: Head
    records: list[Record | LazyMarket]
    unusable: int
    entries: list[Entry]
    is_whole: bool

    def load_into(self, offer: ReplicaOffer) -> None:
        """Replace the state of an offer by this one. What is not whole is loaded as far as it is there."""
        top = self.head.top
        offer.load(top.epoch, (self.head.stated or top).seq, self.records)
        for entry in self.entries:
            offer.apply(entry)
        offer.seq = top.seq


async def read_stored(redis: Redis, keys: ShardKeys, head: Head) -> Stored | None:
    """Read what is stored of a shard.

    Args:
        redis: a client that returns bytes.
        keys: the shard's keys.
        head: its head, read just now.

    Returns:
        what is stored up to the end of the stream that the head names; None if another server has answered, or another owner has
        replaced what was read.
    """
    records, unusable = await scan_snapshot(redis, keys.snapshot)
    entries, is_whole = await _read_entries(redis, keys, head)
    after = await read_head(redis, keys)
    if after.server != head.server or after.top < head.top or after.top.epoch != head.top.epoch:
        return None
    return Stored(head, records, unusable, entries, is_whole)


async def scan_snapshot(redis: Redis, snapshot: str) -> tuple[list[Record | LazyMarket], int]:
    """Return the records of a snapshot hash that can be used, those of markets undecoded, and the number of the others."""
    others: list[Record | LazyMarket] = []
    markets: list[tuple[bytes, bytes]] = []
    unusable: list[tuple[bytes, str]] = []
    async for field, value in redis.hscan_iter(snapshot, count=_SCAN_COUNT):
        if field == WHOLE_FIELD:
            continue
        if field.startswith(_MARKET):
            markets.append((field, value))
            continue
        try:
            others.append(_decode_record(value))
        except DECODING_ERRORS as error:
            unusable.append((field, str(error)))
    profiles = next((len(record.profiles) for record in others if isinstance(record, Meta)), 0)
    held: list[Record | LazyMarket] = []
    for field, value in markets:
        try:
            held.append(lazy_market(value, profiles))
        except DECODING_ERRORS as error:
            unusable.append((field, str(error)))
    if unusable:
        _log.error("snapshot records unreadable", key=snapshot, count=len(unusable), first=unusable[0])
    return others + held, len(unusable)


async def _read_entries(redis: Redis, keys: ShardKeys, head: Head) -> tuple[list[Entry], bool]:
    """Return the entries between a shard's snapshot and the end of its stream, and whether these are all, of a usable one.

    Where records are missing, or something else follows, those entries are what its last owner has published all the same.
    """
    if head.stated is None:
        return [], False
    entries: list[Entry] = []
    last = head.stated
    while last < head.top:
        found: Any = await redis.xrange(keys.changes, f"({last.stream_id()}", head.top.stream_id(), count=_READ_COUNT)
        if not found:
            return entries, False
        for stream_id, fields in found:
            position = parse_stream_id(stream_id)
            try:
                entry = decode_entry(fields[BATCH_FIELD])
            except (*DECODING_ERRORS, LookupError):
                return entries, False
            if position != Position(last.epoch, last.seq + 1) or entry.seq != position.seq:
                return entries, False
            entries.append(entry)
            last = position
    return entries, head.snapshot is not None
