"""Follows one shard: the snapshot first, then every change in order; notices gaps, trims, new epochs and silence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
import structlog
from redis.exceptions import RedisError

from oddsengine.domain.changes import Batch, Record
from oddsengine.streams.keys import BATCH_FIELD
from oddsengine.streams.positions import ORIGIN, Position, parse_stream_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis.asyncio import Redis

    from oddsengine.offer.replica_offer import ReplicaOffer
    from oddsengine.streams.keys import ShardKeys

#: An idle owner writes every second, so silence this long means trouble.
STALE_AFTER_S: Final = 3.0
_BLOCK_MS: Final = 250
_READ_COUNT: Final = 1000
_SCAN_COUNT: Final = 1000
_RETRY_S: Final = 0.2

_decode_batch = msgspec.msgpack.Decoder(Batch).decode
_decode_record = msgspec.msgpack.Decoder(Record).decode
_log = structlog.get_logger(__name__)


class Listener(Protocol):
    """What a follower tells; called in the event loop, must not block."""

    def replaced(self, shard: int) -> None:
        """The shard's offer was loaded anew; earlier positions may have no diff."""
        ...

    def changed(self, shard: int, batches: list[Batch]) -> None:
        """Batches of following positions were applied, the last one of them at the offer's present position."""
        ...

    def went_stale(self, shard: int) -> None:
        """The shard's state may be out of date from here on."""
        ...

    def went_live(self, shard: int) -> None:
        """The shard's state is current again."""
        ...


async def read_top(redis: Redis, stream: str) -> Position:
    """Read a stream's top id; `ORIGIN` of an empty one."""
    entries: Any = await redis.xrevrange(stream, count=1)
    return parse_stream_id(entries[0][0]) if entries else ORIGIN


async def read_snapshot(redis: Redis, snapshot: str) -> list[Record]:
    """Read all records of a snapshot hash; one that can't be read is logged and left out."""
    records: list[Record] = []
    async for field, value in redis.hscan_iter(snapshot, count=_SCAN_COUNT):
        try:
            records.append(_decode_record(value))
        except msgspec.DecodeError as error:
            _log.error("snapshot record unreadable", field=field, error=str(error))
    return records


class Follower:
    """The reading end of one shard.

    Args:
        redis: a client that returns bytes, whose socket timeout is above a second.
        shard: the shard's number.
        keys: its keys.
        offer: what the changes are applied to.
        listener: who is told.
        clock: monotonic seconds.
    """

    def __init__(
        self, redis: Redis, shard: int, keys: ShardKeys, offer: ReplicaOffer, listener: Listener, clock: Callable[[], float]
    ) -> None:
        self._redis = redis
        self._shard = shard
        self._keys = keys
        self._offer = offer
        self._listener = listener
        self._clock = clock
        self._position = ORIGIN
        self._last_entry_s = float("-inf")
        self.stale = True
        self.rescans = 0

    async def run(self) -> None:
        """Follow until cancelled; trouble with Redis is waited out."""
        loaded = False
        while True:
            try:
                loaded = loaded and await self._read_on()
                if not loaded:
                    loaded = await self._scan()
            except (RedisError, OSError) as error:
                # Redis may have come back with less than we read: look before reading on.
                loaded = False
                _log.warning("redis unreachable, retrying", shard=self._shard, error=str(error))
                self._watch_silence()
                await asyncio.sleep(_RETRY_S)

    async def _scan(self) -> bool:
        """Load the snapshot, unless the stream goes on from our position; return whether the state can be read on from.

        A server that holds less than was read before (an old backup, a lagging replica, an emptied database) is not believed:
        what it has may be open where it was suspended since. The state is kept, is stale at once, and waits for the lost
        entries or for a new epoch.
        """
        top = await read_top(self._redis, self._keys.changes)
        if top == ORIGIN or top < self._furthest:
            self._note_loss(top)
            await asyncio.sleep(_RETRY_S)
            return False
        if top.epoch == self._position.epoch and top.seq >= self._position.seq:
            return True
        records = await read_snapshot(self._redis, self._keys.snapshot)
        if await read_top(self._redis, self._keys.changes) < top:
            return False  # another server answered in the middle of the scan
        self._offer.load(top.epoch, top.seq, records)
        self._position = top
        self.rescans += 1
        self._listener.replaced(self._shard)
        return True

    @property
    def _furthest(self) -> Position:
        """The newest position ever applied; `_position` is reset where the sequence breaks."""
        return Position(self._offer.epoch, self._offer.seq)

    def _note_loss(self, top: Position) -> None:
        """Go stale at once if the stream lacks entries that were applied."""
        if self._furthest > top and not self.stale:
            _log.error("redis holds less than was read, keeping the state", shard=self._shard, read=self._furthest, top=top)
            self._go_stale()
        else:
            self._watch_silence()

    async def _read_on(self) -> bool:
        """Read and apply what has come; tell whether the sequence is unbroken."""
        reply: Any = await self._redis.xread({self._keys.changes: self._position.stream_id()}, count=_READ_COUNT, block=_BLOCK_MS)
        if not reply:
            self._watch_silence()
            # Silence may also mean that the stream was replaced by a shorter one.
            return not self.stale or (await read_top(self._redis, self._keys.changes)) >= self._position
        entries = next(iter(reply.values()))[0] if isinstance(reply, dict) else reply[0][1]
        return self._apply(entries)

    def _apply(self, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> bool:
        applied: list[Batch] = []
        for stream_id, fields in entries:
            position = parse_stream_id(stream_id)
            if position.epoch != self._position.epoch or position.seq != self._position.seq + 1:
                _log.info("sequence broken, scanning", shard=self._shard, at=self._position, next=position)
                self._position = ORIGIN
                self._tell(applied)
                return False
            try:
                batch = _decode_batch(fields[BATCH_FIELD])
            except (msgspec.DecodeError, KeyError) as error:
                _log.error("stream entry unreadable, scanning", shard=self._shard, at=position, error=repr(error))
                self._tell(applied)
                self._position = ORIGIN
                return False
            self._offer.apply(position.seq, batch)
            applied.append(batch)
            self._position = position
        self._tell(applied)
        self._last_entry_s = self._clock()
        if self.stale:
            self.stale = False
            self._listener.went_live(self._shard)
        return True

    def _tell(self, applied: list[Batch]) -> None:
        if applied:
            self._listener.changed(self._shard, applied)

    def _watch_silence(self) -> None:
        if not self.stale and self._clock() - self._last_entry_s > STALE_AFTER_S:
            self._go_stale()

    def _go_stale(self) -> None:
        self.stale = True
        self._listener.went_stale(self._shard)
