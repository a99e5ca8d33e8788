"""Follows one shard: loads its snapshot, then applies every change in order.

A gap in the sequence, a trimmed stream or a new epoch leads back to the snapshot; silence makes the shard stale.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.common.reporting.outages import Outage
from oddsengine.offer.entries.entry import decode_entry
from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, note_outage
from oddsengine.streams.keys import BATCH_FIELD, WHOLE_FIELD
from oddsengine.streams.positions import ORIGIN, Position, parse_stream_id
from oddsengine.streams.snapshots.stored import read_head, read_stored, read_top

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

    from oddsengine.offer.entries.entry import Entry
    from oddsengine.offer.replica_offer import ReplicaOffer
    from oddsengine.streams.clients.shared_reader import Entry as StreamEntry
    from oddsengine.streams.keys import ShardKeys

#: An idle owner writes every second: after this much silence something is wrong.
STALE_AFTER_S: Final = 3.0
_RETRY_S: Final = 0.2
_LOWEST_EPOCH_TTL_MS: Final = 60_000

_log = structlog.get_logger(__name__)
_INCOMPLETE: Final = Outage("snapshot incomplete, waiting for its engine", "snapshot whole again")


class Listener(Protocol):
    """Is notified by a follower, in the event loop. Must not block."""

    def replaced(self, shard: int) -> None:
        """Handle a loaded snapshot. There may be no diff from any earlier position."""
        ...

    def changed(self, shard: int, entries: list[Entry]) -> None:
        """Handle entries that were applied in sequence; the offer is at the position of the last one."""
        ...

    def epoch_opened(self, shard: int, age_s: float) -> None:
        """Handle a new epoch, whose state is not loaded yet: its owner is alive, and that state was so old."""
        ...

    def went_stale(self, shard: int) -> None:
        """Handle a shard whose state may be out of date from now on."""
        ...

    def went_live(self, shard: int) -> None:
        """Handle a shard whose state is current again."""
        ...


class StreamReader(Protocol):
    """The part of `streams.clients.shared_reader.SharedReader` that a follower needs."""

    redis: Redis

    async def read(self, stream: str, after: str) -> list[StreamEntry]:
        """Return the next entries of a stream after an id, none if there are none for a moment."""
        ...

    @property
    def connects(self) -> int:
        """Return how often its client has connected."""
        ...

    async def reconnect_if_silent(self) -> None:
        """Reconnect from time to time while nothing arrives."""
        ...


async def _accept() -> None:
    pass


class Follower:
    """The reading end of one shard.

    Args:
        reader: reads the shard's stream. Its client returns bytes.
        shard: the shard's number.
        keys: the shard's keys.
        offer: the replica that changes are applied to.
        listener: is notified of what happens to the offer.
        clock: monotonic seconds.
        stale_after_s: the silence after which the shard is stale.
        check_installation: called before a snapshot is loaded; raises UnsuitableRedis if it must not be.
    """

    def __init__(
        self,
        reader: StreamReader,
        shard: int,
        keys: ShardKeys,
        offer: ReplicaOffer,
        listener: Listener,
        clock: Callable[[], float],
        *,
        stale_after_s: float = STALE_AFTER_S,
        check_installation: Callable[[], Awaitable[None]] = _accept,
    ) -> None:
        self._reader = reader
        self._shard = shard
        self._keys = keys
        self._offer = offer
        self._listener = listener
        self._clock = clock
        self._stale_after_s = stale_after_s
        self._check_installation = check_installation
        self._user = f"follower of shard {shard}"
        self._position = ORIGIN
        self._connects = 0
        self._last_entry_s = float("-inf")
        #: where a stream of an earlier epoch ended when it was first seen, and when that was
        self._behind_at: tuple[Position, float] | None = None
        self._has_asked = False
        self.stale = True
        self.snapshot_reloads = 0

    async def run(self) -> None:
        """Follow until cancelled. Errors of Redis are retried.

        Raises:
            UnsuitableRedis: if what is published there is not of this installation.
        """
        with REDIS_OUTAGE.used_by(self._user):
            await self._follow()

    async def _follow(self) -> None:
        loaded = False
        while True:
            try:
                if self.stale:
                    await self._reader.reconnect_if_silent()
                has_read = loaded
                loaded = loaded and await self._read_next()
                if not loaded:
                    loaded = await self._load()
            except UNAVAILABLE as error:
                # Redis may come back with less than was read: compare before reading on.
                loaded = False
                note_outage(self._user, error)
                self._check_silence()
                await asyncio.sleep(_RETRY_S)
            else:
                # Redis may answer all but reads: to have loaded does not end an outage.
                if has_read or not loaded:
                    REDIS_OUTAGE.worked(self._user)

    async def _load(self) -> bool:
        """Load the snapshot, unless the stream continues at our position. Return whether entries can be read from here.

        A server that holds less than was already read (an old backup, a lagging replica, an emptied database) is not trusted:
        a market that it shows open may have been suspended since. The state is kept, goes stale at once, and waits for the lost
        entries or for a new epoch. Nor is a snapshot from which something is missing: its owner notices that too, and opens an
        epoch with the whole state.
        """
        head = await read_head(self._reader.redis, self._keys)
        top = head.top
        if top == ORIGIN or top < self._furthest:
            self._check_loss(top)
            await self._check_epoch(top)
            await asyncio.sleep(_RETRY_S)
            return False
        self._behind_at = None
        if top.epoch == self._position.epoch and top.seq >= self._position.seq:
            return True
        await self._check_installation()
        stored = None if head.snapshot is None else await read_stored(self._reader.redis, self._keys, head)
        if head.snapshot is not None and stored is None:
            return False
        if stored is None or not stored.is_whole:
            _INCOMPLETE.failed(self._user, "lost", at=top.stream_id())
            self._check_silence()
            await asyncio.sleep(_RETRY_S)
            return False
        if stored.unusable and not self._has_asked:
            self._has_asked = True
            await self._ask_for_epoch()
            return False
        # What is unusable again was not damaged: another release has written it. The rest is better than nothing.
        self._has_asked = bool(stored.unusable)
        _INCOMPLETE.worked(self._user)
        stored.load_into(self._offer)
        self._position = top
        self.snapshot_reloads += 1
        self._listener.replaced(self._shard)
        return True

    async def _check_epoch(self, top: Position) -> None:
        """Request a new epoch from an owner that keeps writing in one below ours, which is not followed.

        Epochs go back if Redis loses its data and the next engine's clock is behind.
        """
        if top == ORIGIN or top.epoch >= self._furthest.epoch:
            self._behind_at = None
        elif self._behind_at is None or self._behind_at[0].epoch != top.epoch:
            self._behind_at = top, self._clock()
        elif top > self._behind_at[0] and self._clock() - self._behind_at[1] > self._stale_after_s:
            self._behind_at = None
            await self._reader.redis.set(self._keys.lowest_epoch, self._furthest.epoch, px=_LOWEST_EPOCH_TTL_MS)
            await self._ask_for_epoch()

    async def _ask_for_epoch(self) -> None:
        """Make the owner open an epoch: with its next write it finds that the snapshot is not as it has left it."""
        _log.warning("asking the engine to write its state again", shard=self._shard)
        await self._reader.redis.hdel(self._keys.snapshot, WHOLE_FIELD.decode())

    @property
    def _furthest(self) -> Position:
        """The newest position ever applied. `_position` is reset where the sequence breaks."""
        return Position(self._offer.epoch, self._offer.seq)

    def _check_loss(self, top: Position) -> None:
        """Become stale at once if the stream lacks entries that were applied."""
        if self._furthest > top and not self.stale:
            _log.error("stream entries lost, keeping the state", shard=self._shard, read=self._furthest, top=top)
            self._go_stale()
        else:
            self._check_silence()

    async def _read_next(self) -> bool:
        """Read and apply the next entries. Return whether the sequence is unbroken."""
        entries = await self._reader.read(self._keys.changes, self._position.stream_id())
        if not entries:
            self._check_silence()
            # The stream may also have been replaced by a shorter one, which has no next entry: as by a server that was started
            # again with an earlier state, to which the client has connected by itself.
            connects = self._reader.connects
            if not self.stale and connects == self._connects:
                return True
            has_lost = (await read_top(self._reader.redis, self._keys.changes)) < self._position
            self._connects = connects
            return not has_lost
        return self._apply(entries)

    def _apply(self, entries: list[StreamEntry]) -> bool:
        applied: list[Entry] = []
        for stream_id, fields in entries:
            position = parse_stream_id(stream_id)
            if position.epoch != self._position.epoch or position.seq != self._position.seq + 1:
                _log.info("sequence gap, reloading the snapshot", shard=self._shard, at=self._position, next=position)
                if position.epoch > self._position.epoch and BATCH_FIELD in fields and not self.stale:
                    # A new owner is alive, and its whole state is in the snapshot.
                    self._last_entry_s = self._clock()
                    self._listener.epoch_opened(self._shard, _age_s(fields))
                self._position = ORIGIN
                self._notify(applied)
                return False
            try:
                entry = decode_entry(fields[BATCH_FIELD])
                if entry.seq != position.seq:
                    raise ValueError(f"it is of seq {entry.seq}")  # noqa: TRY301
                self._offer.apply(entry)
            except (*DECODING_ERRORS, LookupError, ValueError) as error:
                _log.error("stream entry unreadable, reloading the snapshot", shard=self._shard, at=position, error=repr(error))
                self._notify(applied)
                self._position = ORIGIN
                return False
            applied.append(entry)
            self._position = position
        self._notify(applied)
        self._last_entry_s = self._clock()
        if self.stale:
            self.stale = False
            self._listener.went_live(self._shard)
        return True

    def _notify(self, applied: list[Entry]) -> None:
        if applied:
            self._listener.changed(self._shard, applied)

    def _check_silence(self) -> None:
        if not self.stale and self._clock() - self._last_entry_s > self._stale_after_s:
            self._go_stale()

    def _go_stale(self) -> None:
        self.stale = True
        self._listener.went_stale(self._shard)


def _age_s(fields: dict[bytes, bytes]) -> float:
    """Return how old the state was that an entry opens an epoch with."""
    try:
        return decode_entry(fields[BATCH_FIELD]).age_ms / 1000
    except (*DECODING_ERRORS, LookupError, ValueError):
        return 0.0
