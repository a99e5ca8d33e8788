"""Reads all entries of one shard, in order, from a position that its user keeps: in a database, in a broker.

A follower may skip entries, since the snapshot has what they said. Who must not miss one is told by `Broken` that some are
missing. It can load the snapshot then, and go on with the entries that there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.streams.chain.entries import LoadedShard, TailEntry, tail_entry
from oddsengine.streams.chain.links import NO_LINK, Link
from oddsengine.streams.positions import ORIGIN, Position
from oddsengine.streams.snapshots.stored import read_head, read_stored

if TYPE_CHECKING:
    from oddsengine.streams.follower import StreamReader
    from oddsengine.streams.keys import ShardKeys

#: Why entries are missing.
TRIMMED: Final = "trimmed"
LOST: Final = "lost"
REPLACED: Final = "replaced"
_MAX_SEQ: Final = 2**64 - 1
_REASONS: Final = {
    TRIMMED: "the stream no longer has what follows",
    LOST: "the next epoch follows an entry that was never read, or does not say which",
    REPLACED: "the next epoch follows an earlier entry than the last one read",
}


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
        keys: the shard's keys.
        last: the last entry that its user has.
    """

    def __init__(self, reader: StreamReader, keys: ShardKeys, last: Link = NO_LINK) -> None:
        self._reader = reader
        self._keys = keys
        #: the last entry read
        self.last = last
        #: the next one, if it need not follow
        self._next: Position | None = None

    def go_on_with(self, position: Position) -> None:
        """Read on with an entry that does not follow the last one."""
        self._next = position

    async def read(self) -> list[TailEntry]:
        """Return the next entries, none if there are none for a moment.

        Raises:
            Broken: if the next one does not follow.
            RedisError, OSError: if Redis does not answer.
        """
        found: list[TailEntry] = []
        after = self.last.position.stream_id() if self._next is None else _before(self._next)
        for entry in await self._reader.read(self._keys.changes, after):
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

    async def load(self) -> LoadedShard | None:
        """Load the snapshot. Return None if there is none that is whole.

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
        offer = ReplicaOffer(())
        stored.load_into(offer)
        return LoadedShard(tail_entry(at[0]), list(offer.records()))

    def _break_before(self, entry: TailEntry) -> str:
        """Return why an entry does not follow the last one; empty if it does."""
        last = self.last
        if entry.position.epoch == last.position.epoch:
            return "" if entry.position.seq == last.position.seq + 1 else TRIMMED
        if entry.position.seq != 0:
            return TRIMMED
        if entry.follows == last:
            return ""
        earlier = entry.follows is not None and ORIGIN < entry.follows.position < last.position
        return REPLACED if earlier else LOST


def _before(position: Position) -> str:
    """Return the greatest id that an entry before a position can have."""
    return f"{position.epoch}-{position.seq - 1}" if position.seq else f"{position.epoch - 1}-{_MAX_SEQ}"
