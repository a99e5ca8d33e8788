"""Reads all entries of one shard, in order, from a position that its user keeps: in a database, in a broker.

A follower may skip entries, since the snapshot has what they said. Who must not miss one is told by `Broken` that some are
missing. It can load the snapshot then, and go on with the entries that there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog

from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.streams.chain.entries import LoadedShard, TailEntry, tail_entry
from oddsengine.streams.chain.links import NO_LINK, Link, digest_of
from oddsengine.streams.keys import WHOLE_FIELD
from oddsengine.streams.positions import ORIGIN, Position
from oddsengine.streams.snapshots.stored import read_head, read_stored, read_top

if TYPE_CHECKING:
    from oddsengine.streams.follower import StreamReader
    from oddsengine.streams.keys import ShardKeys

#: Why entries are missing.
TRIMMED: Final = "trimmed"
LOST: Final = "lost"
REPLACED: Final = "replaced"
_MAX_SEQ: Final = 2**64 - 1
#: How many reads find nothing until the end of the stream is compared with what was read.
_CHECK_EVERY: Final = 10
_LOWEST_EPOCH_TTL_MS: Final = 60_000
_REASONS: Final = {
    TRIMMED: "the stream no longer has what follows",
    LOST: "the next epoch follows an entry that was never read, or does not say which",
    REPLACED: "it follows another entry than the last one read, which Redis has lost",
}
_log = structlog.get_logger(__name__)


class Broken(Exception):
    """The next entry of the stream does not follow the last one read.

    Args:
        reason: `TRIMMED`, `LOST` or `REPLACED`.
        last: the last entry read.
        found: the next one.
    """

    def __init__(self, reason: str, last: Position, found: TailEntry) -> None:
        self.reason = reason
        self.last = last
        self.found = found
        super().__init__(f"after {last.stream_id()} comes {found.position.stream_id()}: {_REASONS[reason]}")


class ShardTail:
    """Reads one shard.

    Args:
        reader: reads the shard's stream. Its client returns bytes.
        shard: the shard's number.
        keys: the shard's keys.
        last: the last entry that its user has; without a digest if that is not known.
    """

    def __init__(self, reader: StreamReader, shard: int, keys: ShardKeys, last: Link = NO_LINK) -> None:
        self._reader = reader
        self._shard = shard
        self._keys = keys
        #: the last entry read
        self.last = last
        #: the next one, if it need not follow
        self._next: Position | None = None
        self._empty_reads = 0
        #: whether the stream had less than was read when it was last looked at, which is logged once
        self._has_lost = False
        #: the end of a stream of an earlier epoch, when it was last looked at
        self._behind: Position | None = None

    def resume_with(self, position: Position) -> None:
        """Read on with an entry that does not follow the last one."""
        self._next = position

    def resume_after(self, position: Position) -> None:
        """Read on after a position, whatever was read before."""
        self.last, self._next = Link(position, b""), None

    async def read(self) -> list[TailEntry]:
        """Return the next entries, none if there are none for a moment. While Redis has less than was read, there are none.

        May be cancelled, and repeated after an error.

        Raises:
            Broken: if the next one does not follow.
            RedisError, OSError: if Redis does not answer.
        """
        found: list[TailEntry] = []
        after = self.last.position.stream_id() if self._next is None else _before(self._next)
        entries = await self._reader.read(self._keys.changes, after)
        if not entries:
            self._empty_reads += 1
            if self._empty_reads % _CHECK_EVERY == 0:
                await self._reader.reconnect_if_silent()
                await self.check_loss()
            return []
        self._empty_reads = 0
        for entry in entries:
            read = tail_entry(entry)
            reason = self._break_before(read) if read.position != self._next else ""
            if reason:
                if found:
                    break
                raise Broken(reason, self.last.position, read)
            found.append(read)
            self._next = None
            self.last = Link(read.position, read.digest)
        return found

    async def newest(self) -> TailEntry | None:
        """Return the last entry of the stream; None if it is empty.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        found: Any = await self._reader.redis.xrevrange(self._keys.changes, count=1)
        return tail_entry(found[0]) if found else None

    async def load(self) -> LoadedShard | None:
        """Load the whole present state. Return None if it is not whole now.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        redis = self._reader.redis
        head = await read_head(redis, self._keys)
        if head.snapshot is None:
            return None
        at: Any = await redis.xrange(self._keys.changes, min=head.top.stream_id(), max=head.top.stream_id())
        stored = await read_stored(redis, self._keys, head)
        if not at or stored is None or not stored.is_whole:
            return None
        if stored.unusable:
            _log.warning("state without its unreadable records", shard=self._shard, records=stored.unusable)
        offer = ReplicaOffer(())
        stored.load_into(offer)
        return LoadedShard(tail_entry(at[0]), list(offer.records()))

    async def check_loss(self) -> bool:
        """Compare the end of the stream with what was read: Redis may have come back with less. Return whether it has.

        What it has is not trusted then. Its owner is asked for a new epoch if it keeps writing in one below what was read.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        last = self.last.position
        top = await read_top(self._reader.redis, self._keys.changes)
        before, self._behind = self._behind, None
        if top >= last:
            self._has_lost = False
            return False
        if not self._has_lost:
            _log.error("stream entries lost, waiting for a new epoch", shard=self._shard, read=last, top=top)
        self._has_lost = True
        if top != ORIGIN and top.epoch < last.epoch:
            self._behind = top
            if before is not None and before.epoch == top.epoch and top > before:
                await self._reader.redis.set(self._keys.lowest_epoch, last.epoch, px=_LOWEST_EPOCH_TTL_MS)
                await self._reader.redis.hdel(self._keys.snapshot, WHOLE_FIELD.decode())
        return True

    def _break_before(self, entry: TailEntry) -> str:
        """Return why an entry does not follow the last one; empty if it does."""
        last = self.last
        if entry.position.epoch == last.position.epoch:
            if entry.position.seq != last.position.seq + 1:
                return TRIMMED
            # Numbers alone would not show that the server has come back as it was earlier, and that others have its numbers now.
            is_next = not (last.digest and entry.digest) or digest_of(last.digest, entry.batch) == entry.digest
            return "" if is_next else REPLACED
        if entry.position.seq != 0:
            return TRIMMED
        if entry.follows == last:
            return ""
        earlier = entry.follows is not None and ORIGIN < entry.follows.position < last.position
        return REPLACED if earlier else LOST


def _before(position: Position) -> str:
    """Return the greatest id that an entry before a position can have."""
    return f"{position.epoch}-{position.seq - 1}" if position.seq else f"{position.epoch - 1}-{_MAX_SEQ}"
