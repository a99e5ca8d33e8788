"""Runs an engine: the owner of every shard."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from redis.asyncio import Redis

from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.tasks import end_tasks
from oddsengine.engine.engine import Engine
from oddsengine.engine.http_api import engine_app
from oddsengine.pricing.guards.score_grid import ScoreGuard
from oddsengine.pricing.pricer import Pricer
from oddsengine.runtime.timing import DEFAULT_TIMING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from prometheus_client import CollectorRegistry

    from oddsengine.runtime.settings import Settings
    from oddsengine.runtime.timing import Timing


@asynccontextmanager
async def run_engine(
    settings: Settings, redis_url: str, sources: Sequence[str], *, timing: Timing = DEFAULT_TIMING
) -> AsyncIterator[Engine]:
    """Take over every shard and publish until the context is left.

    Args:
        settings: the configuration.
        redis_url: the Redis to publish to.
        sources: the sources of the feeds, most preferred first.
        timing: the intervals of its checks and heartbeats.

    Raises:
        Fenced: in an exception group, when another engine takes over.
    """
    async with AsyncExitStack() as stack:
        if settings.engine.cross_market_guard:
            ScoreGuard.load()
        redis = Redis.from_url(redis_url, socket_timeout=timing.socket_timeout_s)
        stack.push_async_callback(redis.aclose)
        engine = Engine(
            redis,
            settings.redis.namespace,
            Pricer(settings.profiles, settings.tiers, settings.engine.solves_per_s),
            sources,
            shards=settings.engine.shards,
            closed_event_ttl_s=settings.engine.closed_event_ttl_s,
            now_ms=wall_clock_ms,
            sourcing=settings.sourcing,
            matching=settings.matching,
            heartbeat_s=timing.heartbeat_s,
            results_ttl_s=settings.engine.results_ttl_s,
        )
        await engine.take_over()
        async with asyncio.TaskGroup() as group:
            publishing = group.create_task(engine.run(), name="engine")
            try:
                yield engine
            finally:
                await end_tasks([publishing])


@asynccontextmanager
async def serve_engine_api(engine: Engine, registry: CollectorRegistry, host: str, port: int) -> AsyncIterator[int]:
    """Serve the engine's own HTTP API, `/healthz` and `/metrics`, and yield the port.

    Args:
        engine: the engine.
        registry: the metrics of `/metrics`.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
    """
    runner = web.AppRunner(engine_app(engine, registry), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
