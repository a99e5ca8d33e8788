"""Runs an engine and a gateway in one process, with an embedded Redis unless one is configured."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from oddsengine.engine.http_api import EngineApi
from oddsengine.runtime.engine import run_engine
from oddsengine.runtime.gateway import open_gateway, run_gateway, wait_loaded
from oddsengine.runtime.processes.redis import provide_redis
from oddsengine.runtime.processes.startup import Startup
from oddsengine.runtime.telemetry.scrapes import SHARED_PORT
from oddsengine.runtime.timing import DEFAULT_TIMING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from oddsengine.engine.engine import Engine
    from oddsengine.runtime.gateway import GatewayService
    from oddsengine.runtime.settings import Settings
    from oddsengine.runtime.telemetry.metrics import Source
    from oddsengine.runtime.telemetry.scrapes import Scrapes
    from oddsengine.runtime.telemetry.tracing import Tracing
    from oddsengine.runtime.timing import Timing
    from oddsengine.streams.embedded import EmbeddedRedis


class Service:
    """The running parts of a process that has both roles."""

    def __init__(self, engine: Engine, gateway: GatewayService, embedded_redis: EmbeddedRedis | None, redis_url: str) -> None:
        self.engine = engine
        self.redis_url = redis_url
        self.gateway = gateway.gateway
        self.hub = gateway.hub
        self.followers = gateway.followers
        self.port = gateway.port
        #: where the history is that clients ask about
        self.history = gateway.history
        #: what a reload can change of the gateway
        self.parts = gateway.parts
        self.embedded_redis = embedded_redis
        #: makes the gateway unready before it stops
        self.withdraw = gateway.withdraw


@asynccontextmanager
async def run_service(
    settings: Settings,
    sources: Sequence[str],
    metrics: Sequence[Source] = (),
    *,
    startup: Startup | None = None,
    timing: Timing = DEFAULT_TIMING,
    scrapes: Scrapes = SHARED_PORT,
    tracing: Tracing | None = None,
) -> AsyncIterator[Service]:
    """Run an engine and a gateway; when the context is left, drain the gateway and stop both.

    Args:
        settings: the configuration. Its feeds are not started here.
        sources: the sources of the feeds, most preferred first.
        metrics: more sources of `/metrics`.
        startup: goes through every step from SECRETS on.
        timing: the intervals of its checks and heartbeats.
        scrapes: who may read the metrics, and where.
        tracing: makes spans; None if nothing is traced.
    """
    startup = startup or Startup()
    async with (
        open_gateway(settings, startup) as opened,
        provide_redis(settings, startup) as (url, embedded),
        run_engine(settings, url, sources, startup=startup, timing=timing, tracing=tracing) as engine,
        run_gateway(
            settings,
            url,
            EngineApi(engine),
            [engine.samples, *metrics],
            opened=opened,
            startup=startup,
            timing=timing,
            scrapes=scrapes,
            tracing=tracing,
        ) as gateway,
    ):
        try:
            await wait_loaded(gateway, startup)
            yield Service(engine, gateway, embedded, url)
        finally:
            # Before the subscribers are asked to reconnect, which takes seconds during which no prices are updated.
            await engine.stop(timing.last_write_s)
