"""What clients are sent of a channel, whole or since positions: encoded once for all who want the same from the same place.

What is large is encoded in pieces, between which whoever else wants something comes in; who asks for it has to wait.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from oddsengine.gateway.protocol.chunking import Content, delta_frames, snapshot_frames
from oddsengine.gateway.recovery.snapshot_encoder import SnapshotEncoder, rendered
from oddsengine.streams.positions import Position, write_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.gateway.fanout.audience import Audience, DeliveryOptions
    from oddsengine.gateway.fanout.scheduler import Scheduler
    from oddsengine.gateway.state.replica import At, Channel, Replica

#: As many markets are encoded in about a millisecond: more are done in pieces.
LARGE: Final = 300
#: Frames kept ready for those who come at once, as after a restart.
_KEPT_BYTES: Final = 16 * 1024 * 1024
#: What keeping anything costs beside its bytes.
_OVERHEAD_BYTES: Final = 500
#: Large snapshot_cache kept, so that the next one to ask waits for no more than what has changed; and for how long.
_LARGE_KEPT: Final = 16
_LARGE_KEPT_S: Final = 30.0
#: After so many pieces the pieces of one are twice as long, so that it catches up with the changes however many there are.
_PIECES: Final = 100

_Key: TypeAlias = "tuple[str, DeliveryOptions, tuple[Position, ...] | None]"
_Moment: TypeAlias = tuple[tuple[int, int, bool], ...]


class _Large(NamedTuple):
    """A large rendering, the pieces of work done on it since it was last complete, and when it was last asked for."""

    rendering: SnapshotEncoder
    pieces: int
    asked_s: float


class SnapshotCache:
    """Snapshots and diffs of a replica, kept while they are the present.

    Args:
        replica: what is published.
        now_ms: the wall clock, Unix milliseconds.
        clock: monotonic seconds.
        pace: tells how long to work at a stretch.
        on_ready: is called in the moment in which something large that was asked for is there: ask again now.
    """

    def __init__(
        self,
        replica: Replica,
        now_ms: Callable[[], int],
        clock: Callable[[], float],
        pace: Scheduler,
        on_ready: Callable[[], None],
    ) -> None:
        self._replica = replica
        self._now_ms = now_ms
        self._clock = clock
        self._pace = pace
        self._on_ready = on_ready
        #: the moment and the frames of each, least recently asked for first
        self._ready: dict[_Key, tuple[_Moment, list[bytes]]] = {}
        self._ready_bytes = 0
        #: least recently asked for first
        self._large: dict[_Key, _Large] = {}
        #: those of them that somebody waits for
        self._wanted: dict[_Key, None] = {}
        self._is_working = False
        #: wakes who waits for one of them
        self._some_made = asyncio.Event()

    def frames(self, audience: Audience, since: At | None) -> list[bytes] | None:
        """Give what brings a client to the present, ready to write: nothing if nothing changed, None if it has to wait.

        Args:
            audience: the channel, and how it is wanted.
            since: the positions, which the replica covers, that the client has; None if it knows nothing.
        """
        channel, options = audience.channel, audience.options._replace(interval_ms=0)
        key = _key(channel, options, since)
        moment = self._replica.moment(channel)
        known = self._ready.get(key)
        if known is not None and known[0] == moment:
            self._keep(key, *known)
            return known[1]
        content = self._content(key, channel, options, since)
        if content is None:
            return None
        at = write_at(self._replica.at(channel))
        if since is None:
            frames = snapshot_frames(channel.name, content, at, options)
        elif content.events or content.markets:
            frames = delta_frames(audience.head, content, at, write_at(since), self._now_ms(), options)
        else:
            frames = []
        self._keep(key, moment, frames)
        return frames

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for what is being made."""
        return bool(self._wanted)

    async def whole(self, channel: Channel, options: DeliveryOptions) -> tuple[Content, At]:
        """Encode a channel whole, and tell at which positions that is."""
        while (content := self._content(_key(channel, options, None), channel, options, None)) is None:
            await self._some_made.wait()
        return content, self._replica.at(channel)

    def tidy(self) -> None:
        """Forget what nobody has asked for in a while; call every few ms."""
        oldest_s = self._clock() - _LARGE_KEPT_S
        for key, large in list(self._large.items()):
            if large.asked_s > oldest_s and len(self._large) <= _LARGE_KEPT:
                return
            if key not in self._wanted:
                del self._large[key]

    def _content(self, key: _Key, channel: Channel, options: DeliveryOptions, since: At | None) -> Content | None:
        if not self._replica.is_over(LARGE, channel, since):
            return rendered(self._replica, channel, options, since)
        large = self._large.pop(key, None) or _Large(SnapshotEncoder(self._replica, channel, options, since), 0, 0.0)
        # Put back last: what was asked for longest ago goes first.
        self._large[key] = large._replace(asked_s=self._clock())
        if self._work_on(key):
            return large.rendering.content()
        self._wanted[key] = None
        self._work_soon()
        return None

    def _work(self) -> None:
        """Encode the next piece of what somebody waits for."""
        self._is_working = False
        if not self._wanted:
            return
        if self._work_on(next(iter(self._wanted))):
            self._on_ready()
        self._work_soon()

    def _work_on(self, key: _Key) -> bool:
        """Do a piece of work on a large rendering; tell whether it was the last."""
        large = self._large[key]
        is_complete = large.rendering.advance(self._clock, self._pace.time_slice_s * 2 ** (large.pieces // _PIECES))
        self._large[key] = large._replace(pieces=0 if is_complete else large.pieces + 1)
        if is_complete and key in self._wanted:
            del self._wanted[key]
            self._some_made.set()
            self._some_made.clear()
        return is_complete

    def _work_soon(self) -> None:
        if self._wanted and not self._is_working:
            self._is_working = True
            asyncio.get_running_loop().call_soon(self._work)

    def _keep(self, key: _Key, moment: _Moment, frames: list[bytes]) -> None:
        ready = self._ready
        before = ready.pop(key, None)
        self._ready_bytes += _size(frames) - (0 if before is None else _size(before[1]))
        # Put back last: what was asked for longest ago goes first.
        ready[key] = moment, frames
        while self._ready_bytes > _KEPT_BYTES and len(ready) > 1:
            self._ready_bytes -= _size(ready.pop(next(iter(ready)))[1])


def _key(channel: Channel, options: DeliveryOptions, since: At | None) -> _Key:
    return channel.name, options, None if since is None else tuple([since[shard] for shard in channel.shards])


def _size(frames: list[bytes]) -> int:
    return _OVERHEAD_BYTES + sum(map(len, frames))
