"""Reads the decoded entries of one shard for those who pass them on: where some are gone, the whole state is in their place.

Nothing is stored here: the user stores its position together with what it has made of the entries, and starts the next reader
from it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import structlog

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.domain.changes import Batch, Record
from oddsengine.offer.entries.entry import Entry, batch_of, decode_entry
from oddsengine.streams.chain.links import Link
from oddsengine.streams.positions import ORIGIN, Position, parse_stream_id
from oddsengine.streams.snapshots.stored import read_top
from oddsengine.streams.tailing.shard_tail import REPLACED, Broken, ShardTail

if TYPE_CHECKING:
    from oddsengine.streams.chain.entries import LoadedShard, TailEntry
    from oddsengine.streams.follower import StreamReader
    from oddsengine.streams.keys import ShardKeys

_RETRY_S: Final = 0.2
_log = structlog.get_logger(__name__)

#: Why entries were not read: there was no position yet; they were trimmed; another owner has opened an epoch; Redis has others at
#: positions that were read; one was unreadable.
Cause = Literal["start", "trimmed", "epoch", "replaced", "unreadable"]


class StreamEntry(NamedTuple):
    """An entry: its position, its batch, and the entry that a replica takes over."""

    position: Position
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


class ReloadingTail:
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
        self._tail = ShardTail(reader, shard, keys, Link(position, b""))
        self._broken: Cause | None = "start" if position == ORIGIN else None
        #: where reading went on after the last state
        self._resumed: Position | None = None
        #: the last position that was read
        self.position = position

    async def read(self) -> list[StreamEntry] | Reload:
        """Return the next entries, none if there are none for a moment; or the whole state where entries are gone.

        May be cancelled, and repeated after an error. While Redis holds less than was read, nothing is returned.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        if self._broken is None:
            try:
                entries = self._decode(await self._tail.read())
            except Broken as broken:
                is_other_epoch = broken.found.position.epoch != self.position.epoch
                self._broken = "epoch" if is_other_epoch else "replaced" if broken.reason == REPLACED else "trimmed"
            else:
                if entries or self._broken is None:
                    return entries
        found = await self._reload(self._broken or "start")
        if found is None:
            await asyncio.sleep(_RETRY_S)
            return []
        self._broken = None
        self.position = self._resumed = found.resumes
        self._tail.resume_after(found.resumes)
        return found

    async def load(self) -> LoadedShard | None:
        """Return the whole present state, for a user that has entries but no state; None if it is not whole now.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        return await self._tail.load()

    def _decode(self, read: list[TailEntry]) -> list[StreamEntry]:
        entries: list[StreamEntry] = []
        for each in read:
            if each.position.epoch != self.position.epoch:
                # Whoever passes entries on has to end what the new owner does not know.
                self._broken = "epoch"
                break
            try:
                entry = decode_entry(each.batch)
                batch = batch_of(entry)
            except (*DECODING_ERRORS, LookupError, ValueError) as error:
                _log.error("stream entry unreadable, reloading", shard=self._shard, at=each.position, error=repr(error))
                self._broken = "unreadable"
                break
            entries.append(StreamEntry(each.position, batch, entry))
            self.position = each.position
        return entries

    async def _reload(self, cause: Cause) -> Reload | None:
        if await read_top(self._reader.redis, self._keys.changes) < self.position:
            await self._tail.check_loss()
            return None
        loaded = await self.load()
        if loaded is None or loaded.top.position < self.position:
            return None
        at = loaded.top.position
        # The oldest entry of a stream that is always full is gone by the time that the state is passed on.
        is_late = cause == "trimmed" and self.position == self._resumed
        skips = cause == "unreadable"
        resumes = at if cause == "start" or is_late else await self._first_after(self.position, at, skips=skips)
        return Reload(cause, self.position, resumes, at, loaded.records)

    async def _first_after(self, position: Position, at: Position, *, skips: bool) -> Position:
        """Return the position before the oldest entry after one that the stream still has, of the epoch of the state."""
        after = position if position.epoch == at.epoch else Position(at.epoch, 0)
        if skips and position.epoch == at.epoch:
            after = Position(at.epoch, position.seq + 1)
        entries: Any = await self._reader.redis.xrange(self._keys.changes, f"({after.stream_id()}", count=1)
        oldest = parse_stream_id(entries[0][0]) if entries else Position(0, 0)
        return Position(at.epoch, oldest.seq - 1) if oldest.epoch == at.epoch else at
