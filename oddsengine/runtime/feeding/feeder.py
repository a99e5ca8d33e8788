"""Connects feeds by lease: each has one process that is connected to its provider, and another one that takes over.

A feed that is handed over is connected by the next process before the last one lets go of it, so that nothing is suspended. Where
the provider refuses a second connection, the next one connects once the last one is gone.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import structlog

from feeds.recording.packet import Packet
from feeds.supervision.supervisor import Supervisor
from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.tasks import end_tasks
from oddsengine.runtime.feeding.local_feeds import REPLACE_S
from oddsengine.streams.ingest.writer import IngestWriter, Replaced
from oddsengine.streams.leases.keeper import LeaseKeeper
from oddsengine.streams.leases.state import Local
from oddsengine.streams.leases.table import LeaseTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from redis.asyncio import Redis

    from oddsengine.domain.feed_updates import UpdateBatch
    from oddsengine.runtime.feed_runner import OpenedFeed, OpenedFeeds
    from oddsengine.runtime.feeding.received_feeds import ReceivedFeeds

#: How long a feeder that stops waits for others to connect.
_FEEDS_HAND_OVER_S: Final = 10.0
_LIVE_POLL_S: Final = 0.02
_RETIRE_EVERY_S: Final = 60.0
_KEEP_CLOSED_MS: Final = 600_000
_log = structlog.get_logger(__name__)


class Connection:
    """A feed that this process is connected to, or connects to take it over.

    Args:
        name: the feed's name.
        opened: the feed.
        writer: its ingest stream.
        received: the engine of this process, if there is one.
        tap: receives everything that the feed receives.
    """

    def __init__(
        self,
        name: str,
        opened: OpenedFeed,
        writer: IngestWriter,
        received: ReceivedFeeds | None,
        tap: Callable[[Packet], None] | None,
    ) -> None:
        self._name = name
        self._received = received
        self.writer = writer
        self.opened = opened
        self.supervisor = Supervisor(name, opened.feed, self, opened.supervision, tap=tap)
        self._owned = asyncio.Event()

    def receive(self, batch: UpdateBatch) -> None:
        """Pass updates on, as a feed's sink."""
        self.writer.receive(batch)
        if self._received is not None and self._owned.is_set():
            self._received.receive(self._name, batch)

    def agrees(self, batch: UpdateBatch) -> bool:
        """Check whether new images of a source equal what its book holds."""
        return self.writer.agrees(batch)

    def detach(self) -> None:
        """Pass nothing on to the engine of this process any more, without telling it: another connection does."""
        self._received = None

    def take(self) -> None:
        """Pass on what the feed sends, from now on: this process owns it."""
        if self._received is not None:
            self._received.begin(self._name, self.writer.images() if self.writer.is_live else None)
        self._owned.set()

    async def run(self) -> None:
        """Stay connected until cancelled; write once the feed is ours.

        Raises:
            Replaced: another process writes the feed.
        """
        tasks = [
            asyncio.create_task(self.supervisor.run(), name=f"feed {self._name}"),
            asyncio.create_task(self._write(), name=f"ingest {self._name}"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await end_tasks(tasks)
            if self._received is not None:
                self._received.end(self._name)

    async def _write(self) -> None:
        await self._owned.wait()
        await self.writer.run()


async def _until_live(connection: Connection, running: asyncio.Task[None]) -> None:
    until_s = time.monotonic() + REPLACE_S
    while not connection.writer.is_live and not running.done():
        if time.monotonic() > until_s:
            # Its provider may refuse a second connection.
            feed = connection.supervisor.name
            _log.warning("feed not live by its new settings, disconnecting the old one", feed=feed, after_s=REPLACE_S)
            return
        await asyncio.sleep(_LIVE_POLL_S)


class Feeder:
    """The feeds of one process.

    Args:
        name: the process's name, unique in its installation.
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        feeds: the opened feeds.
        lease_s: how long the lease lasts.
        received: the engine of this process, if there is one.
        taps: by feed, what receives everything it receives.
        is_read: returns whether engines of other processes may read the feeds.
    """

    def __init__(
        self,
        name: str,
        redis: Redis,
        namespace: str,
        feeds: OpenedFeeds,
        *,
        lease_s: float,
        received: ReceivedFeeds | None = None,
        taps: Mapping[str, Callable[[Packet], None]] | None = None,
        is_read: Callable[[], bool] = lambda: True,
    ) -> None:
        self._redis = redis
        self._is_read = is_read
        self._namespace = namespace
        self._feeds = feeds
        self._received = received
        self._taps = taps or {}
        table = LeaseTable(redis, namespace, "feeds")
        self._keeper = LeaseKeeper(name, table, "feeds", list(feeds), lease_s, rebalance=False, announces=True, is_patient=True)
        self._connections: dict[str, Connection] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        #: what replaces connections by ones of other settings
        self._replacing: dict[str, asyncio.Task[None]] = {}
        self._owned: set[str] = set()
        self._finished: set[str] = set()
        self._used: set[str] = set()
        self._is_leaving = False
        self._has_ended = False
        self._next_retire_s = 0.0
        self.lease = self._keeper.lease

    @property
    def supervisors(self) -> list[Supervisor]:
        """The supervisors of the feeds that this process is connected to."""
        return [connection.supervisor for connection in self._connections.values()]

    @property
    def owned(self) -> list[str]:
        """The feeds that this process is connected to and passes on."""
        return sorted(self._owned)

    def use(self, feeds: OpenedFeeds) -> None:
        """Connect other feeds from now on.

        Those that are gone go to a process that has them still. The connection of one whose settings have changed is replaced, by
        one that is live unless the provider refuses a second one.
        """
        self._feeds = feeds
        self._keeper.use(list(feeds))
        for feed, connection in self._connections.items():
            if feed in self._owned and feed in feeds and connection.opened is not feeds[feed]:
                replacing = self._replace(feed, self._replacing.pop(feed, None))
                self._replacing[feed] = asyncio.create_task(replacing, name=f"replace feed {feed}")

    def in_use(self) -> list[OpenedFeed]:
        """Return the opened feeds of all connections."""
        return [connection.opened for connection in self._connections.values()]

    async def _replace(self, feed: str, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:
            await end_tasks([previous])
        if feed in self._taps:
            # One recording is of one connection. The lease is ours still: the next step connects the feed again.
            await self._end(feed)
            self._keeper.changed.set()
            return
        successor = self._build(feed)
        running = asyncio.create_task(successor.run(), name=f"feed {feed}")
        try:
            await _until_live(successor, running)
        except BaseException:
            await end_tasks([running])
            raise
        connection, ended = self._connections[feed], self._tasks[feed]
        self._connections[feed], self._tasks[feed] = successor, running
        connection.detach()
        await end_tasks([ended])
        successor.take()
        _log.info("feed replaced", feed=feed)

    async def run(self) -> None:
        """Connect feeds as they are free, until cancelled, or until all were given up after `stop`."""
        try:
            while not self._has_ended:
                await self._step()
                await self._keeper.pause()
        finally:
            await self.stop()

    async def hand_over(self, timeout_s: float = _FEEDS_HAND_OVER_S) -> None:
        """Wait until other processes have connected the feeds of this one, while `run` goes on.

        Args:
            timeout_s: how long to wait for them.
        """
        self._is_leaving = True
        try:
            async with asyncio.timeout(timeout_s):
                await self._keeper.until_given_up(lambda: bool(self._owned or self._finished))
        except TimeoutError:
            _log.warning("feeds not handed over in time", feeds=self.owned, timeout_s=timeout_s)

    async def stop(self) -> None:
        """Disconnect everything and give up the lease. May be called again."""
        self._is_leaving = self._has_ended = True
        for feed in list(self._tasks):
            await self._disconnect(feed)
        await self._keeper.leave()

    async def _step(self) -> None:
        self._reap()
        if not await self._keeper.step(0, is_leaving=self._is_leaving):
            return
        state = self._keeper.state
        self._finished = {feed for feed in self._finished if state.owner_of(feed) == self._keeper.name}
        ready = {feed for feed, connection in self._connections.items() if connection.writer.is_live}
        decision = self._keeper.decide(Local(self._owned, ready, self._finished))
        for feed in decision.drop:
            _log.warning("feed lost", feed=feed, owner=state.owner_of(feed))
            await self._disconnect(feed)
        for feed in decision.finish:
            await self._disconnect(feed)
            self._finished.add(feed)
            self._keeper.changed.set()
            _log.info("feed handed over", feed=feed)
        if not self._has_ended:
            for feed in decision.take:
                if feed in self._connections and feed not in ready:
                    # Its provider may have refused a second connection: start over, without the waits of that.
                    await self._disconnect(feed)
                self._take(feed)
            for feed in decision.prepare:
                self._connect(feed)
        for feed in self._connections.keys() - self._owned:
            if not state.is_heir(feed) or self._connections[feed].opened is not self._feeds.get(feed):
                await self._disconnect(feed)
        self._keeper.note()
        if (now_s := time.monotonic()) >= self._next_retire_s:
            self._next_retire_s = now_s + _RETIRE_EVERY_S
            for connection in self._connections.values():
                connection.writer.retire(_KEEP_CLOSED_MS)

    def _connect(self, feed: str) -> Connection:
        if feed in self._connections:
            return self._connections[feed]
        opened, tap = self._feeds[feed], self._taps.get(feed)
        if feed in self._used:
            # What it knows of an earlier connection is old.
            opened.feed.codec.reset()
            if tap is not None:
                tap(Packet(at_ms=wall_clock_ms(), kind="reset"))
        self._used.add(feed)
        connection = self._connections[feed] = self._build(feed)
        self._tasks[feed] = asyncio.create_task(connection.run(), name=f"feed {feed}")
        return connection

    def _build(self, feed: str) -> Connection:
        opened = self._feeds[feed]
        sources = opened.feed.sources
        writer = IngestWriter(self._redis, self._namespace, feed, sources, self.lease, wall_clock_ms, self._is_read)
        return Connection(feed, opened, writer, self._received, self._taps.get(feed))

    def _take(self, feed: str) -> None:
        self._finished.discard(feed)
        connection = self._connect(feed)
        self._owned.add(feed)
        connection.take()

    async def _disconnect(self, feed: str) -> None:
        """Release a feed. No-op if that is done already."""
        replacing = self._replacing.pop(feed, None)
        if replacing is not None:
            await end_tasks([replacing])
        await self._end(feed)

    async def _end(self, feed: str) -> None:
        self._owned.discard(feed)
        self._connections.pop(feed, None)
        task = self._tasks.pop(feed, None)
        if task is not None:
            await end_tasks([task])
        if self._received is not None:
            self._received.end(feed)

    def _reap(self) -> None:
        for feed in [feed for feed, task in self._replacing.items() if task.done()]:
            self._replacing.pop(feed).result()
        for feed in [feed for feed, task in self._tasks.items() if task.done()]:
            task = self._tasks.pop(feed)
            self._connections.pop(feed, None)
            self._owned.discard(feed)
            if feed in self._replacing:
                self._replacing.pop(feed).cancel()
            try:
                task.result()
            except Replaced:
                _log.warning("feed lost", feed=feed, owner="a process that writes its stream")

    def samples(self) -> Iterable[tuple[str, tuple[str, ...], float]]:
        """Yield the feeder's metrics (see `oddsengine.runtime.telemetry.metrics`)."""
        for feed in self._feeds:
            yield "oddsengine_feed_owned", (feed,), feed in self._owned
        for feed, connection in self._connections.items():
            yield "oddsengine_ingest_entries_total", (feed,), connection.writer.entries

    def status(self) -> dict[str, Any]:
        """Return what `/readyz` says."""
        return {"status": "ready", "feeds": self.owned}
