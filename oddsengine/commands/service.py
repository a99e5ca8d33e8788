"""Engine, followers and gateway wired into one running service; what `run` and `replay --serve` start."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web
from redis.asyncio import Redis

from oddsengine.engine.engine import Engine
from oddsengine.gateway.app import Gateway
from oddsengine.gateway.hub import Hub
from oddsengine.gateway.replica import Replica
from oddsengine.pricing.pricer import Pricer
from oddsengine.streams.embedded import EmbeddedRedis
from oddsengine.streams.follower import Follower
from oddsengine.streams.keys import shard_keys
from oddsengine.telemetry.metrics import build_registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from oddsengine.settings import Settings
    from oddsengine.telemetry.metrics import Source

_SWEEP_S: Final = 0.02
_HEARTBEAT_CHECK_S: Final = 0.5
#: Above the longest blocking read, below the time after which a shard counts as stale.
_SOCKET_TIMEOUT_S: Final = 2.0
_log = structlog.get_logger(__name__)


def now_ms() -> int:
    """Read the wall clock: Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Service:
    """What runs, for those who start it: the engine to feed, and where the gateway listens."""

    def __init__(self, engine: Engine, gateway: Gateway, hub: Hub, followers: list[Follower]) -> None:
        self.engine = engine
        self.gateway = gateway
        self.hub = hub
        self.followers = followers
        self.port = 0
        self.embedded_redis: EmbeddedRedis | None = None


@asynccontextmanager
async def serving(settings: Settings, sources: Sequence[str], metrics: Sequence[Source] = ()) -> AsyncIterator[Service]:
    """Run engine, followers and gateway; drain the gateway and stop them all on leaving.

    Args:
        settings: the configuration; its feeds are not started here.
        sources: the names of the feeds that will speak, most preferred first.
        metrics: what else `/metrics` shows.
    """
    async with AsyncExitStack() as stack:
        embedded: EmbeddedRedis | None = None
        url = settings.redis.url
        if not url:
            embedded = await stack.enter_async_context(EmbeddedRedis())
            url = embedded.url
        writing = Redis.from_url(url, socket_timeout=_SOCKET_TIMEOUT_S)
        stack.push_async_callback(writing.aclose)
        shards = settings.engine.shards
        engine = Engine(
            writing,
            settings.redis.namespace,
            Pricer(settings.profiles, settings.tiers),
            sources,
            shards=shards,
            keep_closed_s=settings.engine.keep_closed_s,
            now_ms=now_ms,
        )
        replica = Replica(shards)
        hub = Hub(
            replica,
            time.monotonic,
            now_ms,
            heartbeat_ms=settings.gateway.heartbeat_ms,
            profile=settings.gateway.profile,
        )
        followers: list[Follower] = []
        for shard in range(shards):
            reading = Redis.from_url(url, socket_timeout=_SOCKET_TIMEOUT_S)
            stack.push_async_callback(reading.aclose)
            keys = shard_keys(settings.redis.namespace, shard)
            followers.append(Follower(reading, shard, keys, replica.offers[shard], hub, time.monotonic))
        registry = build_registry([engine.samples, lambda: _gateway_samples(hub, followers), *metrics])
        gateway = Gateway(hub, registry, engine.explain)
        service = Service(engine, gateway, hub, followers)
        service.embedded_redis = embedded
        await engine.take_over()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(engine.run(), name="engine"),
                group.create_task(_sweeping(hub), name="sweep"),
                group.create_task(_heartbeats(hub), name="heartbeats"),
                *(group.create_task(follower.run(), name="follower") for follower in followers),
            ]
            if embedded is not None:
                tasks.append(group.create_task(embedded.keep_running(), name="redis"))
            runner = web.AppRunner(gateway.app, access_log=None, shutdown_timeout=2.0)
            try:
                await runner.setup()
                site = web.TCPSite(runner, settings.gateway.host, settings.gateway.port)
                await site.start()
                service.port = runner.addresses[0][1]
                yield service
            finally:
                await gateway.stream.drain()
                await runner.cleanup()
                await end_tasks(tasks)


async def end_tasks(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks until they have ended: the Redis client can swallow a cancellation that meets a reply."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.5)


async def _sweeping(hub: Hub) -> None:
    while True:
        await asyncio.sleep(_SWEEP_S)
        hub.sweep()


async def _heartbeats(hub: Hub) -> None:
    while True:
        await asyncio.sleep(_HEARTBEAT_CHECK_S)
        hub.heartbeat()


def _gateway_samples(hub: Hub, followers: list[Follower]) -> Iterable[tuple[str, tuple[str, ...], float]]:
    counters = hub.counters
    yield "odds_sessions", (), len(hub.sessions)
    yield "odds_sessions_opened", (), counters.opened
    yield "odds_frames_sent", (), counters.frames
    yield "odds_bytes_sent", (), counters.bytes
    yield "odds_deltas_sent", (), counters.deltas
    yield "odds_snapshots_sent", (), counters.snapshots
    yield "odds_resumed", (), counters.resumed
    yield "odds_fell_behind", (), counters.fell_behind
    yield "odds_catch_ups", (), counters.catch_ups
    yield "odds_bad_messages", (), counters.bad_messages
    for shard, follower in enumerate(followers):
        yield "odds_shard_rescans", (str(shard),), follower.rescans
        yield "odds_shard_stale", (str(shard),), follower.stale
