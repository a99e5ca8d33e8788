"""`oddsengine run`: feeds, engine and gateway in one process."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog

from feeds.feed import installed_feeds
from feeds.supervisor import FeedState, Supervisor
from oddsengine.commands.reload import Reloader
from oddsengine.commands.service import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from oddsengine.settings import Settings

_log = structlog.get_logger(__name__)


async def run(settings: Settings, config: Path, read: Callable[[Path], Settings]) -> None:
    """Run until SIGINT or SIGTERM, then drain and return; SIGHUP and a change of the file reload the profiles.

    Args:
        settings: the configuration.
        config: the file it came from.
        read: reads that file again; raises ConfigError.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    supervisors: list[Supervisor] = []
    plugins = installed_feeds()
    async with (
        serving(settings, list(settings.feeds), [lambda: _feed_samples(supervisors)]) as service,
        AsyncExitStack() as stack,
    ):
        for source, feed_settings in settings.feeds.items():
            feed = await stack.enter_async_context(plugins[feed_settings.adapter].open(source, feed_settings.config))
            supervisors.append(Supervisor(source, feed, service.engine.receive))
        reloader = Reloader(config, read, settings, service.engine.adopt)
        loop.add_signal_handler(signal.SIGHUP, reloader.ask)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(supervisor.run(), name=supervisor.source) for supervisor in supervisors]
            tasks.append(group.create_task(reloader.run(), name="reload"))
            _log.info("serving", url=f"http://{settings.gateway.host}:{service.port}", feeds=list(settings.feeds))
            await stop.wait()
            _log.info("stopping")
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
