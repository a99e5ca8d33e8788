"""Runs what connects and receives feeds in a process that shares them with others."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from feeds.supervision.states import FeedState
from oddsengine.common.clock import CLOCK
from oddsengine.common.tasks import end_tasks
from oddsengine.runtime.feed_runner import feed_samples, feed_status, sources_by_feed
from oddsengine.runtime.feeding.feeder import Feeder
from oddsengine.runtime.feeding.received_feeds import ReceivedFeeds
from oddsengine.runtime.feeding.shared_reload import SharedReload, silence_limits_s
from oddsengine.streams.connection import keep_on_primary, open_client
from oddsengine.streams.floor.board import FloorBoard
from oddsengine.streams.floor.reporter import FloorReporter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from feeds.recording.recorder import Recorder
    from oddsengine.engine.engine import Engine
    from oddsengine.runtime.feed_runner import OpenedFeeds
    from oddsengine.runtime.settings import Settings
    from oddsengine.runtime.telemetry.metrics import Sample


#: An engine that is being stopped is not counted, but reads on until others have its shards.
_LINGER_S: Final = 15.0
#: A shorter one would end whenever a machine is busy for a moment.
_MIN_FEED_LEASE_S: Final = 1.0


def member_name() -> str:
    """Return a name for this process among those that share leases, which no other process has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


def feed_lease_s(lease_s: float) -> float:
    """Return how long the lease of a feed lasts, seconds.

    It may be short: entries of a feeder that was replaced are refused whatever its lease says, and a feed is not suspended for a
    new connection.

    Args:
        lease_s: how long that of a shard lasts.
    """
    return min(lease_s, max(_MIN_FEED_LEASE_S, lease_s / 2))


def _always() -> bool:
    return True


def _ignore(_step_ms: int) -> None:
    """Ignore a step of the clock: a feeder compares no time with the world."""


class OtherEngines:
    """Whether engines of other processes may read what this one writes: also for a while after they were seen last.

    Args:
        is_any_alive: returns whether there is one that will stay.
        clock: monotonic seconds.
    """

    def __init__(self, is_any_alive: Callable[[], bool], clock: Callable[[], float] = time.monotonic) -> None:
        self._is_any_alive = is_any_alive
        self._clock = clock
        self._seen_s = float("-inf")

    def __call__(self) -> bool:
        """Return whether any may read now."""
        if self._is_any_alive():
            self._seen_s = self._clock()
        return self._clock() - self._seen_s < _LINGER_S


class SharedFeeds:
    """The feeds of a process: those that it is connected to, and those that its engine receives from others."""

    def __init__(self, feeder: Feeder | None, received: ReceivedFeeds | None, reload: SharedReload) -> None:
        self.feeder = feeder
        self.part = reload.part
        self._received = received

    async def hand_over(self) -> None:
        """Release the feeds of this process for others."""
        if self.feeder is not None:
            await self.feeder.hand_over()

    def status(self) -> list[dict[str, Any]]:
        """Return the status of every feed for `GET /v1/feeds`."""
        own = [] if self.feeder is None else feed_status(self.feeder.supervisors)
        return [*own, *([] if self._received is None else self._received.status())]

    def is_followed(self) -> bool:
        """Check whether everything is known of each feed, or that its provider can't be reached."""
        if self._received is None:
            return True
        connected = {} if self.feeder is None else {each.name: each for each in self.feeder.supervisors}
        return all(
            reader.is_current
            or (feed in connected and (connected[feed].state is FeedState.LIVE or connected[feed].retry.failures))
            for feed, reader in self._received.readers.items()
        )

    def samples(self) -> Iterable[Sample]:
        """Yield the metrics of the feeds."""
        if self.feeder is not None:
            yield from feed_samples(self.feeder.supervisors)
            yield from self.feeder.samples()
        if self._received is not None:
            for feed, reader in self._received.readers.items():
                yield "oddsengine_feed_followed", (feed,), reader.is_current
                yield "oddsengine_feed_gaps_total", (feed,), reader.gaps


@asynccontextmanager
async def share_feeds(
    settings: Settings,
    redis_url: str,
    feeds: OpenedFeeds | None,
    engine: Engine | None,
    recorders: Mapping[str, Recorder] | None = None,
) -> AsyncIterator[SharedFeeds]:
    """Connect feeds that no other process is connected to, and receive the others, until the context is left.

    Args:
        settings: the configuration.
        redis_url: the Redis that carries them.
        feeds: the opened feeds; None if this process connects none.
        engine: receives all feeds; None if this process has none.
        recorders: by feed, what records it.
    """
    redis = open_client(redis_url)
    namespace = settings.redis.namespace
    received = None
    if engine is not None:
        received = ReceivedFeeds(engine, redis, namespace, sources_by_feed(settings.feeds), silence_limits_s(settings.feeds))
    feeder: Feeder | None = None
    if feeds is not None:
        taps = {name: recorder.add for name, recorder in (recorders or {}).items()}
        lease_s = feed_lease_s(settings.engine.lease_s)
        is_read = _always if engine is None else OtherEngines(lambda: engine.ownership.engines > 1)
        name = member_name()
        feeder = Feeder(name, redis, namespace, feeds, lease_s=lease_s, received=received, taps=taps, is_read=is_read)
    reload = SharedReload(settings.feeds, feeds, feeder, received, engine)
    shared = SharedFeeds(feeder, received, reload)
    if engine is not None:
        engine.describe_feeds = shared.status
        engine.ownership.is_followed = shared.is_followed
        if received is not None:
            engine.age_of_feeds_ms = received.age_ms
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(keep_on_primary(redis), name="primary")]
            if engine is None:
                tasks.append(group.create_task(CLOCK.watch(_ignore), name="clock"))
            if received is not None:
                tasks.append(group.create_task(received.run(), name="received feeds"))
            if feeder is not None:
                tasks.append(group.create_task(feeder.run(), name="feeder"))
            if engine is None:
                reporter = FloorReporter(FloorBoard(redis, namespace), shared.status, lambda: None, time.monotonic)
                tasks.append(group.create_task(reporter.run(), name="floor"))
            try:
                yield shared
            finally:
                try:
                    if feeder is not None:
                        await feeder.stop()
                finally:
                    await end_tasks(tasks)
    finally:
        await reload.close()
        await redis.aclose()
