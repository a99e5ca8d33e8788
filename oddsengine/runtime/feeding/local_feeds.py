"""The feeds of a process that shares them with no other one, as the config has them: added, replaced and ended while it runs."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog

from feeds.recording.packet import Packet
from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.tasks import end_tasks
from oddsengine.runtime.feed_runner import feed_samples, feed_sources, feed_status
from oddsengine.runtime.feeding.feed_connection import FeedConnection
from oddsengine.runtime.reload import ReloadedPart

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping

    from feeds.recording.recorder import Recorder
    from feeds.supervision.supervisor import Supervisor
    from oddsengine.engine.engine import Engine
    from oddsengine.runtime.feed_runner import OpenedFeeds
    from oddsengine.runtime.settings import FeedSettings, Settings
    from oddsengine.runtime.telemetry.metrics import Sample

#: How long a feed whose settings have changed goes on by the old ones while the new connection becomes live.
REPLACE_S: Final = 20.0
_log = structlog.get_logger(__name__)


class LocalFeeds:
    """The feeds of an engine in this process, each connected once, except while one connection replaces another.

    Args:
        engine: receives their updates.
        recorders: by feed, what records it.
        replace_s: how long the old connection of a feed whose settings have changed waits for the new one.
    """

    def __init__(self, engine: Engine, recorders: Mapping[str, Recorder], replace_s: float = REPLACE_S) -> None:
        self._engine = engine
        self._recorders = recorders
        self._replace_s = replace_s
        #: as the config has them, in order of preference
        self._connections: dict[str, FeedConnection] = {}
        #: those that a connection is to replace, which passes nothing on yet
        self._replaced: dict[str, tuple[FeedConnection, asyncio.Task[None]]] = {}
        self._tasks: dict[FeedConnection, asyncio.Task[None]] = {}
        #: those that were opened for a reload which was then rejected
        self._unused: list[FeedConnection] = []
        self._group = asyncio.TaskGroup()

    @property
    def supervisors(self) -> list[Supervisor]:
        """The supervisors of the feeds that are connected."""
        return [each.supervisor for each in self._connections.values() if each.supervisor is not None]

    def status(self) -> list[dict[str, Any]]:
        """Return the status of every feed for `GET /v1/feeds`."""
        return feed_status(self.supervisors)

    def samples(self) -> Iterable[Sample]:
        """Yield the metrics of the feeds."""
        return feed_samples(self.supervisors)

    @asynccontextmanager
    async def running(self, feeds: Mapping[str, FeedSettings], opened: OpenedFeeds) -> AsyncIterator[None]:
        """Run feeds that were opened, and those that reloads bring, until the context is left."""
        self._engine.describe_feeds = self.status
        async with self._group:
            try:
                for name, settings in feeds.items():
                    connection = FeedConnection(name, settings, self._engine, opened[name].feed, self._tap(name))
                    self._connections[name] = connection
                    connection.begin()
                    self._start(connection)
                yield
            finally:
                await end_tasks([*(task for _, task in self._replaced.values()), *self._tasks.values()])

    def part(self) -> ReloadedPart:
        """Return what a reload does with the feeds."""
        return ReloadedPart(frozenset({"feeds"}), self.prepare)

    async def prepare(self, settings: Settings) -> Callable[[], None]:
        """Open the feeds that are new or whose settings have changed. Raises ValueError if one can't be opened."""
        for unused in self._unused:
            await self._end(unused)
        self._unused = []
        prepared: dict[str, FeedConnection] = {}
        try:
            for name, feed in settings.feeds.items():
                current = self._connections.get(name)
                if current is None or current.settings != feed:
                    connection = prepared[name] = FeedConnection(name, feed, self._engine, tap=self._tap(name))
                    self._unused.append(connection)
                    self._start(connection)
                    await connection.opened
        except BaseException:
            for connection in prepared.values():
                await self._end(connection)
            raise
        return partial(self._apply, settings.feeds, prepared)

    def _apply(self, feeds: Mapping[str, FeedSettings], prepared: Mapping[str, FeedConnection]) -> None:
        self._unused, before = [], self._connections
        self._connections = {name: prepared.get(name) or before[name] for name in feeds}
        self._engine.use_sources(feed_sources(feeds))
        for name, connection in before.items():
            if name not in feeds or name in prepared:
                self._retire(name, connection, prepared.get(name))
        for name, connection in prepared.items():
            if name not in before:
                connection.begin()
                connection.connect()

    def _retire(self, name: str, connection: FeedConnection, successor: FeedConnection | None) -> None:
        """End a connection, or let a successor replace it."""
        passing_on = connection
        if name in self._replaced:
            # The one that was to replace it has passed nothing on yet.
            passing_on, replacing = self._replaced.pop(name)
            replacing.cancel()
            self._group.create_task(self._end(connection), name=f"end of feed {name}")
        if successor is None:
            passing_on.end()
            self._group.create_task(self._end(passing_on), name=f"end of feed {name}")
        else:
            task = self._group.create_task(self._replace(name, passing_on, successor), name=f"replace feed {name}")
            self._replaced[name] = passing_on, task

    async def _replace(self, name: str, connection: FeedConnection, successor: FeedConnection) -> None:
        if name in self._recorders:
            # One recording is of one connection.
            await self._end(connection)
            self._recorders[name].add(Packet(at_ms=wall_clock_ms(), kind="reset"))
            successor.begin()
            successor.connect()
        else:
            successor.connect()
            try:
                async with asyncio.timeout(self._replace_s):
                    await successor.ready.wait()
            except TimeoutError:
                # Its provider may refuse a second connection.
                _log.warning("feed not live by its new settings, disconnecting the old one", feed=name, after_s=self._replace_s)
            connection.end()
            successor.begin()
            await self._end(connection)
        _log.info("feed replaced", feed=name)
        del self._replaced[name]

    async def _end(self, connection: FeedConnection) -> None:
        connection.end()
        task = self._tasks.pop(connection, None)
        if task is not None:
            await end_tasks([task])

    def _start(self, connection: FeedConnection) -> None:
        run: Coroutine[Any, Any, None] = connection.run()
        self._tasks[connection] = self._group.create_task(run, name=connection.name)

    def _tap(self, name: str) -> Callable[[Packet], None] | None:
        recorder = self._recorders.get(name)
        return None if recorder is None else recorder.add
