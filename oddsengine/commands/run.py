"""`oddsengine run`: feeds, engine and gateway in one process."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from feeds.feed import installed_feeds
from feeds.supervisor import FeedState, Supervisor
from oddsengine.commands.reload import Reloader
from oddsengine.commands.service import engine_api, engine_running, serving
from oddsengine.telemetry.metrics import build_registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    from oddsengine.engine.engine import Engine
    from oddsengine.settings import Settings

_log = structlog.get_logger(__name__)


async def run(settings: Settings, config: Path, read: Callable[[Path], Settings]) -> None:
    """Play every role until SIGINT or SIGTERM, then drain and return; SIGHUP and a change of the file reload the profiles.

    Args:
        settings: the configuration.
        config: the file it came from.
        read: reads that file again; raises ConfigError.
    """
    stop = _stopping()
    supervisors: list[Supervisor] = []
    async with serving(settings, list(settings.feeds), [lambda: _feed_samples(supervisors)]) as service:
        reloader = Reloader(config, read, settings, service.engine.adopt)
        async with _feeding(settings, service.engine, reloader, supervisors):
            _log.info("serving", url=f"http://{settings.gateway.host}:{service.port}", feeds=list(settings.feeds))
            await stop.wait()
            _log.info("stopping")


async def run_engine(settings: Settings, config: Path, read: Callable[[Path], Settings], metrics_port: int) -> None:
    """Own feeds and shards and publish to the configured Redis, without a gateway; else as `run`.

    Args:
        settings: the configuration; its Redis has a URL.
        config: the file it came from.
        read: reads that file again; raises ConfigError.
        metrics_port: where `/healthz`, `/metrics` and explanations are served; 0 takes a free one.
    """
    stop = _stopping()
    supervisors: list[Supervisor] = []
    async with engine_running(settings, settings.redis.url, list(settings.feeds)) as engine:
        reloader = Reloader(config, read, settings, engine.adopt)
        registry = build_registry([engine.samples, lambda: _feed_samples(supervisors)])
        async with (
            _feeding(settings, engine, reloader, supervisors),
            engine_api(engine.explain, registry, settings.gateway.host, metrics_port) as port,
        ):
            _log.info("publishing", metrics=f"http://{settings.gateway.host}:{port}/metrics", feeds=list(settings.feeds))
            await stop.wait()
            _log.info("stopping")


def _stopping() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


@asynccontextmanager
async def _feeding(settings: Settings, engine: Engine, reloader: Reloader, supervisors: list[Supervisor]) -> AsyncIterator[None]:
    """Run the configured feeds, which are put into `supervisors`, and the reloader."""
    plugins = installed_feeds()
    async with AsyncExitStack() as stack:
        for source, feed_settings in settings.feeds.items():
            feed = await stack.enter_async_context(plugins[feed_settings.adapter].open(source, feed_settings.config))
            supervisors.append(Supervisor(source, feed, engine.receive))
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloader.ask)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(supervisor.run(), name=supervisor.source) for supervisor in supervisors]
            tasks.append(group.create_task(reloader.run(), name="reload"))
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()


def _feed_samples(supervisors: list[Supervisor]) -> Iterable[tuple[str, tuple[str, ...], float]]:
    for supervisor in supervisors:
        labels = (supervisor.source,)
        counters = supervisor.counters
        yield "odds_feed_live", labels, supervisor.state is FeedState.LIVE
        yield "odds_feed_messages", labels, counters.messages
        yield "odds_feed_bytes", labels, counters.bytes
        yield "odds_feed_rejected", labels, counters.rejected
        yield "odds_feed_dropped", labels, counters.dropped
        yield "odds_feed_connections", labels, counters.connections
        yield "odds_feed_failures", labels, counters.failures
