"""`oddsengine feeder`: feeds for engines in other processes."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog

from oddsengine.common.processes.signals import on_reload
from oddsengine.runtime.feed_runner import open_feeds
from oddsengine.runtime.feeding.http_api import serve_feeder_api
from oddsengine.runtime.feeding.running import share_feeds
from oddsengine.runtime.parts.access import access_part, build_admission, without_anonymous
from oddsengine.runtime.parts.serving import access_log_part
from oddsengine.runtime.processes.front import is_local, open_front, url_of
from oddsengine.runtime.processes.redis import provide_redis
from oddsengine.runtime.processes.startup import Step
from oddsengine.runtime.recording import record
from oddsengine.runtime.reload import FEEDER_READS, Reloader, run_reloader
from oddsengine.runtime.telemetry.http_observer import HttpObserver
from oddsengine.runtime.telemetry.metrics import build_registry
from oddsengine.runtime.telemetry.scrapes import open_scrapes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.settings import Settings

_log = structlog.get_logger(__name__)


async def feeder(
    startup: Startup, settings: Settings, config: Path, load: Callable[[Path], Settings], record_to: Path | None = None
) -> None:
    """Connect feeds that no other process is connected to, and pass them on, until SIGINT or SIGTERM.

    SIGHUP and a change of the config file reload feeds, who is admitted and the log level.

    Args:
        startup: the steps of the start.
        settings: the configuration. Its Redis has a URL.
        config: the file it was loaded from.
        load: loads that file again; raises ConfigError.
        record_to: the folder to record the feeds to, or None.
    """
    async with AsyncExitStack() as stack:
        feeds = await stack.enter_async_context(open_feeds(settings.feeds, startup))
        with startup.doing(Step.SECRETS):
            admission = build_admission(without_anonymous(settings, "feeder.host", settings.feeder.host))
        with startup.doing(Step.SECRETS, "choose a folder that can be written"):
            recorders = await stack.enter_async_context(record(settings.feeds, record_to))
        front = await stack.enter_async_context(open_front(settings.feeder.host, settings.feeder.port, startup))
        scrapes = await stack.enter_async_context(open_scrapes(settings.metrics, startup))
        redis_url, _ = await stack.enter_async_context(provide_redis(settings, startup))
        shared = await stack.enter_async_context(share_feeds(settings, redis_url, feeds, None, recorders))
        access = access_part(admission, "feeder.host", settings.feeder.host)
        observer = HttpObserver(admission.addresses, logs=settings.log.access)
        reloader = Reloader(
            config, load, settings, None, parts=[access, shared.part(), access_log_part(observer)], reads=FEEDER_READS
        )
        await stack.enter_async_context(run_reloader(reloader))
        on_reload(reloader.request)
        local = is_local(settings.feeder.host)
        registry = build_registry([shared.samples, observer.samples])
        serving = serve_feeder_api(shared, registry, front, admission, scrapes, observer, local=local)
        await stack.enter_async_context(serving)
        if shared.feeder is not None:
            await startup.unless_stopped(shared.feeder.lease.until_held())
        startup.ready()
        _log.info("feeding", metrics=f"{url_of(settings.feeder.host, front.port)}/metrics", feeds=list(settings.feeds))
        await startup.stopping.wait()
        _log.info("stopping")
        await shared.hand_over()
