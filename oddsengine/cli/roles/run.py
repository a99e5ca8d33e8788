"""`oddsengine run`: feeds, engine and gateway in one process."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog

from oddsengine.common.signals import on_reload
from oddsengine.runtime.feed_runner import feed_samples, feed_sources, open_feeds, run_feeds_of
from oddsengine.runtime.processes.front import url_of
from oddsengine.runtime.processes.startup import Step
from oddsengine.runtime.recording import record
from oddsengine.runtime.reload import Reloader, run_reloader
from oddsengine.runtime.service import run_service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feeds.supervision.supervisor import Supervisor
    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.settings import Settings

_log = structlog.get_logger(__name__)


async def run(
    startup: Startup, settings: Settings, config: Path, load: Callable[[Path], Settings], record_to: Path | None = None
) -> None:
    """Run until SIGINT or SIGTERM, then drain. SIGHUP and a change of the config file reload the profiles.

    Args:
        startup: the steps of the start.
        settings: the configuration.
        config: the file it was loaded from.
        load: loads that file again; raises ConfigError.
        record_to: the folder to record the feeds to, or None.
    """
    supervisors: list[Supervisor] = []
    async with AsyncExitStack() as stack:
        feeds = await stack.enter_async_context(open_feeds(settings.feeds, startup))
        with startup.doing(Step.SECRETS, "choose a folder that can be written"):
            recorders = await stack.enter_async_context(record(settings.feeds, record_to))
        metrics = [lambda: feed_samples(supervisors)]
        running = run_service(settings, feed_sources(settings.feeds), metrics, startup=startup)
        service = await stack.enter_async_context(running)
        reloader = Reloader(config, load, settings, service.engine.adopt)
        async with run_feeds_of(service.engine, feeds, supervisors, recorders), run_reloader(reloader):
            on_reload(reloader.request)
            url = url_of(settings.gateway.host, service.port, tls=bool(settings.gateway.tls_cert))
            _log.info("serving", url=url, feeds=list(settings.feeds))
            await startup.stopping.wait()
            _log.info("stopping")
            await service.engine.hand_over()
