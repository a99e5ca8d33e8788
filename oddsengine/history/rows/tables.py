"""The rows of the tables, as they are copied into the database, and what the records among them say.

`entries` has every entry of the streams, and `changes` each change of a market in it: the bytes that the entry consists of are
`head`, the changes in the order of `ordinal`, and `tail`. `records` has what the archiver writes down so that questions are
answered from few rows: whole states from time to time, and what no entry says. docs/history.md describes the columns.
"""

from __future__ import annotations

import hashlib
import struct
from enum import IntEnum
from typing import Final, NamedTuple


class RecordKind(IntEnum):
    """The subject of a record, and the type of its body: MessagePack of a type of `oddsengine.domain.changes`, or JSON."""

    #: the whole state of a market: a `MarketRecord`
    MARKET = 1
    #: a market has left the offer: its id
    MARKET_LEFT = 2
    #: the whole state of an event: an `EventRecord`
    EVENT = 3
    #: an event has left the offer: its id
    EVENT_LEFT = 4
    #: what led to a price
    EXPLANATION = 5
    #: the state of a feed
    FEED = 6
    #: the digest of a config
    CONFIG = 7
    #: the names of the profiles in the order of all prices: a list
    PROFILES = 8
    #: entries are missing: a `GapBody`
    GAP = 9


class EntryRow(NamedTuple):
    """An entry of a shard's stream. `at_ms` never goes back by less than `ClampedClock` tolerates."""

    at_ms: int
    epoch: int
    seq: int
    follows_epoch: int | None
    follows_seq: int | None
    shard: int
    changes: int
    follows_digest: bytes | None
    digest: bytes
    head: bytes
    tail: bytes


class ChangeRow(NamedTuple):
    """A change of a market: a piece of an entry, with the record of the market after it (`cutting`)."""

    at_ms: int
    key: int
    epoch: int
    seq: int
    ordinal: int
    shard: int
    change: bytes


class RecordRow(NamedTuple):
    """A record that the archiver has made of a moment: after the entry at `epoch` and `seq`. `number` counts those of a shard."""

    at_ms: int
    key: int
    number: int
    epoch: int
    seq: int
    shard: int
    kind: int
    digest: bytes
    body: bytes


class GapRow(NamedTuple):
    """Entries that the history does not have: those after one position and before another, `until`.

    At `known_ms` the whole state is known again, until then only what changes; None while that is to come. `number` is that of
    the record which says the same.
    """

    shard: int
    after_epoch: int
    after_seq: int
    after_ms: int
    until_epoch: int
    until_seq: int
    until_ms: int
    until_digest: bytes
    known_ms: int | None
    number: int
    reason: str


class GapBody(NamedTuple):
    """The content of a record of a gap: its row, and the digest of the entry after it alone."""

    after_epoch: int
    after_seq: int
    until_epoch: int
    until_seq: int
    until_digest: bytes
    content: bytes
    reason: str


class ShardPosition(NamedTuple):
    """The end of the history of a shard: the last entry and the last record."""

    epoch: int
    seq: int
    digest: bytes
    at_ms: int
    number: int
    record_digest: bytes


#: The history of a shard of which nothing was archived yet.
NOTHING: Final = ShardPosition(0, 0, b"", 0, 0, b"")
_RECORD: Final = struct.Struct(">qqqqqhh")
_KEY: Final = struct.Struct(">q")


def key_of(name: str) -> int:
    """Return the key of a market, an event or a feed: 64 bits of the digest of its id."""
    key: int = _KEY.unpack_from(hashlib.sha256(name.encode()).digest())[0]
    return key


def record_digest(previous: bytes, row: RecordRow) -> bytes:
    """Return the digest of a record, which follows another one of its shard."""
    columns = _RECORD.pack(row.at_ms, row.key, row.number, row.epoch, row.seq, row.shard, row.kind)
    return hashlib.sha256(previous + columns + row.body).digest()
