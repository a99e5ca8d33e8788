"""Reads one shard's stream entry by entry, from a position that its user keeps.

A follower wants the present state, and may skip what led to it. A consumer wants every entry: where some are gone it returns a
`Reload`, which names the gap and has the whole state. Nothing is stored here: the user stores its position together with what it
has made of the entries, and starts the next consumer from it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import structlog

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.domain.changes import Batch, Record
from oddsengine.offer.entries.entry import Entry, batch_of, decode_entry
from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.streams.keys import BATCH_FIELD, WHOLE_FIELD
from oddsengine.streams.positions import ORIGIN, Position, parse_stream_id
from oddsengine.streams.snapshots.stored import read_head, read_stored, read_top

if TYPE_CHECKING:
    from oddsengine.streams.follower import StreamReader
    from oddsengine.streams.keys import ShardKeys

#: How many reads find nothing until the end of the stream is compared with what was read.
_CHECK_EVERY: Final = 10
_RETRY_S: Final = 0.2
_LOWEST_EPOCH_TTL_MS: Final = 60_000
_log = structlog.get_logger(__name__)

#: Why entries were not read: there was no position yet; they were trimmed; another owner has opened an epoch; one was unreadable.
Cause = Literal["start", "trimmed", "epoch", "unreadable"]


class StreamEntry(NamedTuple):
    """An entry: its position, its fields as Redis has them, its batch, and the entry that a replica takes over."""

    position: Position
    fields: dict[bytes, bytes]
    batch: Batch
    entry: Entry


class Reload(NamedTuple):
    """The whole state of a shard, in place of entries that can't be read.

    Attributes:
        cause: why.
        after: the last position that was read before; `ORIGIN` if there is none.
        resumes: the entries after this one are read next. Those between `after` and here, this one included, are not.
        at: the position of the state. Entries up to it are in the state already, and some after it may be.
        records: the state.
    """

    cause: Cause
    after: Position
    resumes: Position
    at: Position
    records: list[Record]


class ShardConsumer:
    """The entries of one shard, in order.

    Args:
        reader: reads the shard's stream. Its client returns bytes.
        shard: the shard's number.
        keys: the shard's keys.
        position: the last position that was read; `ORIGIN` to begin with the present state.
    """

    def __init__(self, reader: StreamReader, shard: int, keys: ShardKeys, position: Position) -> None:
        self._reader = reader
        self._shard = shard
        self._keys = keys
        self._broken: Cause | None = "start" if position == ORIGIN else None
        self._empty_reads = 0
        #: the end of a stream of an earlier epoch, when it was last looked at
        self._behind: Position | None = None
        #: the last position that was read
        self.position = position

    async def read(self) -> list[StreamEntry] | Reload:
        """Return the next entries, none if there are none for a moment; or the whole state where entries are gone.

        May be cancelled, and repeated after an error. While Redis holds less than was read, nothing is returned.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        if self._broken is None:
            raw = await self._reader.read(self._keys.changes, self.position.stream_id())
            if raw:
                self._empty_reads = 0
                entries = self._decode(raw)
                if entries or self._broken is None:
                    return entries
            else:
                self._empty_reads += 1
                if self._empty_reads % _CHECK_EVERY == 0:
                    await self._reader.reconnect_if_silent()
                    await self._check_loss()
                return []
        found = await self._reload(self._broken or "start")
        if found is None:
            await asyncio.sleep(_RETRY_S)
            return []
        self._broken = None
        self.position = found.resumes
        return found

    async def load(self) -> tuple[Position, list[Record]] | None:
        """Return the whole present state and its position, for a user that has entries but no state; None if it is not whole now.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        head = await read_head(self._reader.redis, self._keys)
        if head.snapshot is None:
            return None
        stored = await read_stored(self._reader.redis, self._keys, head)
        if stored is None or not stored.is_whole:
            return None
        if stored.unusable:
            _log.warning("state without its unreadable records", shard=self._shard, records=stored.unusable)
        offer = ReplicaOffer(())
        stored.load_into(offer)
        return head.top, list(offer.records())

    def _decode(self, raw: list[tuple[bytes, dict[bytes, bytes]]]) -> list[StreamEntry]:
        entries: list[StreamEntry] = []
        for stream_id, fields in raw:
            position = parse_stream_id(stream_id)
            if position.epoch != self.position.epoch:
                self._broken = "epoch"
            elif position.seq != self.position.seq + 1:
                self._broken = "trimmed"
            else:
                try:
                    entry = decode_entry(fields[BATCH_FIELD])
                    batch = batch_of(entry)
                except (*DECODING_ERRORS, LookupError, ValueError) as error:
                    _log.error("stream entry unreadable, reloading", shard=self._shard, at=position, error=repr(error))
                    self._broken = "unreadable"
            if self._broken is not None:
                break
            entries.append(StreamEntry(position, fields, batch, entry))
            self.position = position
        return entries

    async def _reload(self, cause: Cause) -> Reload | None:
        if await read_top(self._reader.redis, self._keys.changes) < self.position:
            await self._check_loss()
            return None
        loaded = await self.load()
        if loaded is None or loaded[0] < self.position:
            return None
        at, records = loaded
        resumes = at if cause == "start" else await self._first_after(self.position, at, skips=cause == "unreadable")
        return Reload(cause, self.position, resumes, at, records)

    async def _first_after(self, position: Position, at: Position, *, skips: bool) -> Position:
        """Return the position before the oldest entry after one that the stream still has, of the epoch of the state."""
        after = position if position.epoch == at.epoch else Position(at.epoch, 0)
        if skips and position.epoch == at.epoch:
            after = Position(at.epoch, position.seq + 1)
        entries: Any = await self._reader.redis.xrange(self._keys.changes, f"({after.stream_id()}", count=1)
        oldest = parse_stream_id(entries[0][0]) if entries else Position(0, 0)
        return Position(at.epoch, oldest.seq - 1) if oldest.epoch == at.epoch else at

    async def _check_loss(self) -> None:
        """Compare the end of the stream with what was read: Redis may have come back with less.

        What it has is not trusted then. Its owner is asked for a new epoch if it keeps writing in one below what was read.
        """
        top = await read_top(self._reader.redis, self._keys.changes)
        before, self._behind = self._behind, None
        if top >= self.position:
            return
        _log.error("stream entries lost, waiting for a new epoch", shard=self._shard, read=self.position, top=top)
        if top == ORIGIN or top.epoch >= self.position.epoch:
            return
        self._behind = top
        if before is not None and before.epoch == top.epoch and top > before:
            await self._reader.redis.set(self._keys.lowest_epoch, self.position.epoch, px=_LOWEST_EPOCH_TTL_MS)
            await self._reader.redis.hdel(self._keys.snapshot, WHOLE_FIELD.decode())
