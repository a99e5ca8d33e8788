"""`oddsengine engine`: feeds and engine, without a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from oddsengine.common.signals import on_reload
from oddsengine.runtime.engine import open_engine, run_engine, serve_engine_api
from oddsengine.runtime.feed_runner import feed_samples, feed_sources, open_feeds, run_feeds_of
from oddsengine.runtime.processes.front import is_local, url_of
from oddsengine.runtime.processes.redis import provide_redis
from oddsengine.runtime.reload import ENGINE_READS, Reloader, run_reloader
from oddsengine.runtime.telemetry.metrics import build_registry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feeds.supervision.supervisor import Supervisor
    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.settings import Settings

_log = structlog.get_logger(__name__)


async def engine(startup: Startup, settings: Settings, config: Path, load: Callable[[Path], Settings]) -> None:
    """Publish to the configured Redis until SIGINT or SIGTERM. SIGHUP and a change of the config file reload the profiles.

    Args:
        startup: the steps of the start.
        settings: the configuration. Its Redis has a URL.
        config: the file it was loaded from.
        load: loads that file again; raises ConfigError.
    """
    supervisors: list[Supervisor] = []
    sources = feed_sources(settings.feeds)
    async with (
        open_feeds(settings.feeds, startup) as feeds,
        open_engine(settings, startup) as opened,
        provide_redis(settings, startup) as (redis_url, _),
        run_engine(settings, redis_url, sources, startup=startup) as running,
    ):
        reloader = Reloader(config, load, settings, running.adopt, reads=ENGINE_READS)
        registry = build_registry([running.samples, lambda: feed_samples(supervisors)])
        async with (
            run_feeds_of(running, feeds, supervisors),
            run_reloader(reloader),
            serve_engine_api(running, registry, opened, local=is_local(settings.engine.host)),
        ):
            on_reload(reloader.request)
            startup.ready()
            url = url_of(settings.engine.host, opened.front.port)
            _log.info("publishing", metrics=f"{url}/metrics", feeds=list(settings.feeds))
            await startup.stopping.wait()
            _log.info("stopping")
            await running.hand_over()
