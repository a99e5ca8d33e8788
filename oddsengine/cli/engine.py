"""`oddsengine engine`: feeds and engine, without a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from oddsengine.common.signals import on_reload, stop_event
from oddsengine.runtime.engine import run_engine, serve_engine_api
from oddsengine.runtime.feed_runner import feed_samples, feed_sources, run_feeds_of
from oddsengine.runtime.reload import Reloader, run_reloader
from oddsengine.runtime.telemetry.metrics import build_registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feeds.supervision.supervisor import Supervisor
    from oddsengine.runtime.settings import Settings

_log = structlog.get_logger(__name__)


async def engine(settings: Settings, config: Path, load: Callable[[Path], Settings], port: int) -> None:
    """Publish to the configured Redis until SIGINT or SIGTERM. SIGHUP and a change of the config file reload the profiles.

    Args:
        settings: the configuration. Its Redis has a URL.
        config: the file it was loaded from.
        load: loads that file again; raises ConfigError.
        port: where `/healthz`, `/metrics` and the engine's API are served; 0 takes a free port.
    """
    stop = stop_event()
    supervisors: list[Supervisor] = []
    host = settings.gateway.host
    async with run_engine(settings, settings.redis.url, feed_sources(settings.feeds)) as running:
        reloader = Reloader(config, load, settings, running.adopt)
        registry = build_registry([running.samples, lambda: feed_samples(supervisors)])
        async with (
            run_feeds_of(running, settings.feeds, supervisors),
            run_reloader(reloader),
            serve_engine_api(running, registry, host, port) as bound_port,
        ):
            on_reload(reloader.request)
            _log.info("publishing", metrics=f"http://{host}:{bound_port}/metrics", feeds=list(settings.feeds))
            await stop.wait()
            _log.info("stopping")
