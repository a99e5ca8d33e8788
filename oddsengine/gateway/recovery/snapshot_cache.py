"""Snapshots and diffs of channels, encoded once for all clients that need the same.

A large one is encoded in time slices, between which other work gets its turn; the client that requests it has to wait.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from oddsengine.gateway.fanout.scheduler import NextTurn
from oddsengine.gateway.protocol.chunking import Content, delta_frames, snapshot_frames
from oddsengine.gateway.recovery.snapshot_encoder import SnapshotEncoder, encode_channel
from oddsengine.streams.positions import Position, encode_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.gateway.fanout.audience import Audience
    from oddsengine.gateway.fanout.scheduler import Scheduler
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.fanout.thresholds import Thresholds
    from oddsengine.gateway.protocol.delivery import DeliveryOptions
    from oddsengine.gateway.state.replica import At, Channel, Replica

#: Frames kept for clients that come all at once, as after a restart.
_MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
#: What keeping an entry costs beside its frames.
_ENTRY_BYTES: Final = 500
#: Large encodings that are kept, so that the next request waits only for what has changed since; and for how long.
_MAX_LARGE: Final = 16
_LARGE_TTL_S: Final = 30.0
#: After this many slices the slices of an encoding double, so that it overtakes the changes however many there are.
_SLICES_UNTIL_DOUBLED: Final = 100

_Key: TypeAlias = "tuple[str, DeliveryOptions, tuple[Position, ...] | None]"
_Version: TypeAlias = tuple[tuple[int, int, bool], ...]


class _Large(NamedTuple):
    """A large encoding, the slices of work on it since it was last complete, and when it was last requested."""

    encoder: SnapshotEncoder
    slices: int
    requested_s: float


class SnapshotCache:
    """Snapshots and diffs of a replica, kept while they are current.

    Args:
        replica: what is published.
        now_ms: the wall clock, Unix milliseconds.
        scheduler: limits the time slices.
        thresholds: what is large, and when a message is split.
    """

    def __init__(self, replica: Replica, now_ms: Callable[[], int], scheduler: Scheduler, thresholds: Thresholds) -> None:
        self._replica = replica
        self._now_ms = now_ms
        self._scheduler = scheduler
        self._thresholds = thresholds
        self._listeners: list[Callable[[], None]] = []
        #: the version of the content and the frames of each, least recently requested first
        self._ready: dict[_Key, tuple[_Version, list[bytes]]] = {}
        self._ready_bytes = 0
        #: least recently requested first
        self._large: dict[_Key, _Large] = {}
        #: the large ones that a client waits for
        self._wanted: dict[_Key, None] = {}
        self._next_turn = NextTurn(self._encode_wanted)
        #: set for a moment whenever a large encoding is complete
        self._completed = asyncio.Event()

    def add_listener(self, on_ready: Callable[[], None]) -> None:
        """Call a function whenever a large encoding that was requested is complete: a request at that moment succeeds."""
        self._listeners.append(on_ready)

    def frames(self, audience: Audience[Session], since: At | None) -> list[bytes] | None:
        """Return ready frames that bring a client to the present: none if nothing changed, None if it has to wait.

        Args:
            audience: the channel, and how it is delivered.
            since: the client's positions, which the replica covers; None for a snapshot.
        """
        channel, options = audience.channel, audience.options._replace(interval_ms=0)
        key = _key(channel, options, since)
        version = self._replica.content_version(channel)
        known = self._ready.get(key)
        if known is not None and known[0] == version:
            self._keep(key, *known)
            return known[1]
        content = self._content(key, channel, options, since)
        if content is None:
            return None
        at, limits = encode_at(self._replica.at(channel)), self._thresholds.chunks
        if since is None:
            frames = snapshot_frames(channel.name, content, at, options, limits)
        elif content.events or content.markets:
            frames = delta_frames(audience.head, content, at, encode_at(since), self._now_ms(), options, limits)
        else:
            frames = []
        self._keep(key, version, frames)
        return frames

    @property
    def is_busy(self) -> bool:
        """Whether a client waits for a large encoding."""
        return bool(self._wanted)

    async def snapshot(self, channel: Channel, options: DeliveryOptions) -> tuple[Content, At]:
        """Encode a whole channel. Return it with its positions. May be cancelled."""
        while (content := self._content(_key(channel, options, None), channel, options, None)) is None:
            await self._completed.wait()
        return content, self._replica.at(channel)

    def evict_idle(self) -> None:
        """Drop large encodings that were not requested for a while; call every few ms."""
        oldest_s = self._scheduler.clock() - _LARGE_TTL_S
        for key, large in list(self._large.items()):
            if large.requested_s > oldest_s and len(self._large) <= _MAX_LARGE:
                return
            if key not in self._wanted:
                del self._large[key]

    def _content(self, key: _Key, channel: Channel, options: DeliveryOptions, since: At | None) -> Content | None:
        if not self._replica.exceeds_markets(self._thresholds.large_channel, channel, since):
            return encode_channel(self._replica, channel, options, since)
        large = self._large.pop(key, None) or _Large(SnapshotEncoder(self._replica, channel, options, since), 0, 0.0)
        # Reinserted at the end: the least recently requested is evicted first.
        self._large[key] = large._replace(requested_s=self._scheduler.clock())
        if self._encode_slice(key):
            return large.encoder.content()
        self._wanted[key] = None
        self._next_turn.request()
        return None

    def _encode_wanted(self) -> None:
        """Encode the next slice of what a client waits for."""
        if not self._wanted:
            return
        if self._encode_slice(next(iter(self._wanted))):
            for on_ready in self._listeners:
                on_ready()
        if self._wanted:
            self._next_turn.request()

    def _encode_slice(self, key: _Key) -> bool:
        """Work on a large encoding for one time slice. Return whether it is complete."""
        large, scheduler = self._large[key], self._scheduler
        budget_s = scheduler.time_slice_s * 2 ** (large.slices // _SLICES_UNTIL_DOUBLED)
        is_complete = large.encoder.advance(scheduler.clock, budget_s)
        self._large[key] = large._replace(slices=0 if is_complete else large.slices + 1)
        if is_complete and key in self._wanted:
            del self._wanted[key]
            self._completed.set()
            self._completed.clear()
        return is_complete

    def _keep(self, key: _Key, version: _Version, frames: list[bytes]) -> None:
        ready = self._ready
        before = ready.pop(key, None)
        self._ready_bytes += _size(frames) - (0 if before is None else _size(before[1]))
        # Reinserted at the end: the least recently requested is dropped first.
        ready[key] = version, frames
        while self._ready_bytes > _MAX_FRAME_BYTES and len(ready) > 1:
            self._ready_bytes -= _size(ready.pop(next(iter(ready)))[1])


def _key(channel: Channel, options: DeliveryOptions, since: At | None) -> _Key:
    return channel.name, options, None if since is None else tuple([since[shard] for shard in channel.shards])


def _size(frames: list[bytes]) -> int:
    return _ENTRY_BYTES + sum(map(len, frames))
