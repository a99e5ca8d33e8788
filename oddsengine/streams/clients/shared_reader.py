"""Waits for new entries of many streams at once, on a few connections; in a Cluster, on one for each hash tag.

A read that waits for many streams costs Redis more each time that one of them has entries, so they are spread over some reads. A
Cluster reads several keys with one command only if they have one hash tag. There are at most `keys.MAX_TAGS` of them.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from oddsengine.common.tasks import end_tasks
from oddsengine.streams.clients.cluster import ClusterClient
from oddsengine.streams.connection import CHANGING, SHARED_READS, TIMEOUT, UNAVAILABLE, cause_of, reconnect
from oddsengine.streams.keys import hash_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from redis.asyncio import Redis

Entry: TypeAlias = tuple[bytes, dict[bytes, bytes]]

#: How long a read waits: as long may a stream that is asked for meanwhile have to wait for its turn.
_BLOCK_MS: Final = 100
#: How many entries of all streams a read returns at most, about.
_READ_COUNT: Final = 200
#: As many as take so many bytes, going by the last ones: a large flush is an entry of a megabyte, and a reply must arrive before
#: the socket's timeout. After one that did not, a read returns this share of what it asked for.
_MAX_REPLY_BYTES: Final = 4_000_000
_AFTER_TIMEOUT: Final = 8
_MIN_COUNT: Final = 20
#: How many at most where reads are seldom; up to which size of a reply they become more, and above which fewer. Replies of 0.1 to
#: 3 MB with entries of 4 and 16 kB cost Redis 1.1 to 1.4 ms a megabyte, larger ones twice that.
_MAX_COUNT: Final = 3200
_SMALL_BYTES, _LARGE_BYTES = 250_000, 1_000_000
_RECONNECT_S: Final = 3.0


class _Asked(NamedTuple):
    """A stream that somebody waits for."""

    after: str
    since_s: float
    entries: asyncio.Future[list[Entry]]


class SharedReader:
    """Reads streams for many followers.

    Args:
        redis: a client that returns bytes and has a socket timeout of more than a second.
        streams: those that will be read, in the order in which they are spread over the reads; others may follow.
        clock: monotonic seconds.
        count: how many entries of all streams a read returns at most, about.
        every_s: how often to read while a reply has all that there is; 0 to wait for entries. Each entry that is waited for costs
            Redis, and whoever writes it, as much as many that are read together.
    """

    def __init__(
        self,
        redis: Redis,
        streams: Iterable[str],
        clock: Callable[[], float],
        *,
        count: int = _READ_COUNT,
        every_s: float = 0.0,
    ) -> None:
        self._every_s = every_s
        self.redis = redis
        self._clock = clock
        self._count = count
        self._answered_s = clock()
        self._lanes: dict[str, _Lane] = {}
        self._lane_of: dict[str, _Lane] = {}
        self._has_more_lanes = asyncio.Event()
        for stream in streams:
            self._lane(stream)

    def _lane(self, stream: str) -> _Lane:
        lane = self._lane_of.get(stream)
        if lane is None:
            tag = hash_tag(stream) if isinstance(self.redis, ClusterClient) else str(len(self._lane_of) % SHARED_READS)
            if tag not in self._lanes:
                self._lanes[tag] = _Lane(self.redis, self._clock, self._count, self._every_s)
                self._has_more_lanes.set()
            lane = self._lane_of[stream] = self._lanes[tag]
        return lane

    async def run(self) -> None:
        """Read what is asked for until cancelled."""
        # Not a task group, which cancels its tasks once only (see `end_tasks`).
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                self._has_more_lanes.clear()
                for tag, lane in self._lanes.items():
                    if tag not in tasks:
                        tasks[tag] = asyncio.create_task(lane.run(), name=f"reader {tag}")
                more = asyncio.create_task(self._has_more_lanes.wait(), name="more readers")
                try:
                    done, _ = await asyncio.wait([*tasks.values(), more], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    more.cancel()
                for task in done - {more}:
                    task.result()
        finally:
            await end_tasks(tasks.values())

    async def read(self, stream: str, after: str) -> list[Entry]:
        """Return the next entries of a stream after an id, none if there are none for a moment.

        May be cancelled. One call at a time for each stream.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        entries = await self._lane(stream).read(stream, after)
        if entries:
            self._answered_s = self._clock()
        return entries

    @property
    def connects(self) -> int:
        """How often any connection of the client was made; of a Cluster's, which is not counted, 0."""
        return getattr(getattr(self.redis, "connection_pool", None), "connects", 0)

    async def reconnect_if_silent(self) -> None:
        """Reconnect from time to time while no stream has entries: the name may lead to another server by now."""
        if self._clock() - self._answered_s > _RECONNECT_S:
            self._answered_s = self._clock()
            await reconnect(self.redis)


class _Lane:
    """Streams that are read with one command."""

    def __init__(self, redis: Redis, clock: Callable[[], float], count: int, every_s: float) -> None:
        self._every_s = every_s
        self._redis = redis
        self._count = count
        self._clock = clock
        #: how many entries a reply has room for
        self._room = _MAX_REPLY_BYTES
        self._asked: dict[str, _Asked] = {}
        self._is_asked = asyncio.Event()

    async def read(self, stream: str, after: str) -> list[Entry]:
        entries: asyncio.Future[list[Entry]] = asyncio.get_running_loop().create_future()
        self._asked[stream] = _Asked(after, self._clock(), entries)
        self._is_asked.set()
        try:
            return await entries
        finally:
            self._asked.pop(stream, None)
            if not self._asked:
                self._is_asked.clear()

    async def run(self) -> None:
        while True:
            await self._is_asked.wait()
            # Those who were just answered ask again first, else they would wait for the others.
            await asyncio.sleep(0)
            asked = {stream: each for stream, each in self._asked.items() if not each.entries.done()}
            if not asked:
                continue
            positions: Any = {stream: each.after for stream, each in asked.items()}
            count = max(1, min(max(_MIN_COUNT, self._count // len(asked)), self._room // len(asked)))
            try:
                reply = await self._redis.xread(positions, count=count, block=None if self._every_s else _BLOCK_MS)
            except UNAVAILABLE as error:
                if cause_of(error) == TIMEOUT:
                    self._room = max(1, count * len(asked) // _AFTER_TIMEOUT)
                elif cause_of(error) == CHANGING:
                    await reconnect(self._redis)
                for each in asked.values():
                    if not each.entries.done():
                        each.entries.set_exception(error)
                continue
            found = entries_of(reply)
            self._answer(asked, found)
            size = sum(len(value) for entries in found.values() for _, fields in entries for value in fields.values())
            if found:
                self._room = max(1, _MAX_REPLY_BYTES * sum(map(len, found.values())) // max(1, size))
            if self._every_s:
                if any(len(entries) == count for entries in found.values()):
                    self._fit_count(size)
                else:
                    await asyncio.sleep(self._every_s)

    def _fit_count(self, size: int) -> None:
        """Read more at once where entries are small, since there are more than one reply has."""
        if size < _SMALL_BYTES:
            self._count = min(_MAX_COUNT, 2 * self._count)
        elif size > _LARGE_BYTES:
            self._count = max(_READ_COUNT, self._count // 2)

    def _answer(self, asked: dict[str, _Asked], found: dict[str, list[Entry]]) -> None:
        """Answer those that there are entries for, and those that have waited long enough."""
        now_s = self._clock()
        for stream, each in asked.items():
            entries = found.get(stream, [])
            if not each.entries.done() and (entries or not found or now_s - each.since_s > _BLOCK_MS / 1000):
                each.entries.set_result(entries)


def entries_of(reply: Any) -> dict[str, list[Entry]]:
    """Return the entries by stream of a reply to XREAD, of either version of the protocol."""
    if isinstance(reply, dict):
        return {stream.decode(): parts[0] for stream, parts in reply.items()}
    return {stream.decode(): entries for stream, entries in reply or ()}
