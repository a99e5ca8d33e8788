"""`oddsengine run`: feeds, engine and gateway in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from oddsengine.common.signals import on_reload, stop_event
from oddsengine.runtime.feed_runner import feed_samples, feed_sources, run_feeds_of
from oddsengine.runtime.recording import record
from oddsengine.runtime.reload import Reloader, run_reloader
from oddsengine.runtime.service import run_service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feeds.supervision.supervisor import Supervisor
    from oddsengine.runtime.settings import Settings

_log = structlog.get_logger(__name__)


async def run(settings: Settings, config: Path, load: Callable[[Path], Settings], record_to: Path | None = None) -> None:
    """Run until SIGINT or SIGTERM, then drain. SIGHUP and a change of the config file reload the profiles.

    Args:
        settings: the configuration.
        config: the file it was loaded from.
        load: loads that file again; raises ConfigError.
        record_to: the folder to record the feeds to, or None.
    """
    stop = stop_event()
    supervisors: list[Supervisor] = []
    async with run_service(settings, feed_sources(settings.feeds), [lambda: feed_samples(supervisors)]) as service:
        reloader = Reloader(config, load, settings, service.engine.adopt)
        async with (
            record(settings.feeds, record_to) as recorders,
            run_feeds_of(service.engine, settings.feeds, supervisors, recorders),
            run_reloader(reloader),
        ):
            on_reload(reloader.request)
            _log.info("serving", url=f"http://{settings.gateway.host}:{service.port}", feeds=list(settings.feeds))
            await stop.wait()
            _log.info("stopping")
