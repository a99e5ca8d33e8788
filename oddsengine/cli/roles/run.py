"""`oddsengine run`: feeds, engine and gateway in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from oddsengine.common.signals import on_reload
from oddsengine.runtime.feed_runner import feed_samples, feed_sources, open_feeds, run_feeds_of
from oddsengine.runtime.processes.front import url_of
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
    async with (
        open_feeds(settings.feeds, startup) as feeds,
        run_service(settings, feed_sources(settings.feeds), [lambda: feed_samples(supervisors)], startup=startup) as service,
    ):
        reloader = Reloader(config, load, settings, service.engine.adopt)
        async with (
            record(settings.feeds, record_to) as recorders,
            run_feeds_of(service.engine, feeds, supervisors, recorders),
            run_reloader(reloader),
        ):
            on_reload(reloader.request)
            url = url_of(settings.gateway.host, service.port, tls=bool(settings.gateway.tls_cert))
            _log.info("serving", url=url, feeds=list(settings.feeds))
            await startup.stopping.wait()
            _log.info("stopping")
