"""Runs an engine and a gateway in one process, with an embedded Redis unless one is configured."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from oddsengine.common.tasks import end_tasks
from oddsengine.engine.http_api import EngineApi
from oddsengine.runtime.engine import run_engine
from oddsengine.runtime.gateway import run_gateway
from oddsengine.runtime.timing import DEFAULT_TIMING
from oddsengine.streams.embedded import EmbeddedRedis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from oddsengine.engine.engine import Engine
    from oddsengine.runtime.gateway import GatewayService
    from oddsengine.runtime.settings import Settings
    from oddsengine.runtime.telemetry.metrics import Source
    from oddsengine.runtime.timing import Timing


class Service:
    """The running parts of a process that has both roles."""

    def __init__(self, engine: Engine, gateway: GatewayService, embedded_redis: EmbeddedRedis | None) -> None:
        self.engine = engine
        self.gateway = gateway.gateway
        self.hub = gateway.hub
        self.followers = gateway.followers
        self.port = gateway.port
        self.embedded_redis = embedded_redis


@asynccontextmanager
async def run_service(
    settings: Settings, sources: Sequence[str], metrics: Sequence[Source] = (), *, timing: Timing = DEFAULT_TIMING
) -> AsyncIterator[Service]:
    """Run an engine and a gateway; when the context is left, drain the gateway and stop both.

    Args:
        settings: the configuration. Its feeds are not started here.
        sources: the sources of the feeds, most preferred first.
        metrics: more sources of `/metrics`.
        timing: the intervals of its checks and heartbeats.
    """
    async with (
        provide_redis(settings) as (url, embedded),
        run_engine(settings, url, sources, timing=timing) as engine,
        run_gateway(settings, url, EngineApi(engine), [engine.samples, *metrics], timing=timing) as gateway,
    ):
        yield Service(engine, gateway, embedded)


@asynccontextmanager
async def provide_redis(settings: Settings) -> AsyncIterator[tuple[str, EmbeddedRedis | None]]:
    """Yield the URL of the configured Redis. If there is none, run an embedded one and yield it too."""
    if settings.redis.url:
        yield settings.redis.url, None
        return
    async with EmbeddedRedis() as embedded, asyncio.TaskGroup() as group:
        keeping = group.create_task(embedded.keep_running(), name="redis")
        try:
            yield embedded.url, embedded
        finally:
            await end_tasks([keeping])
