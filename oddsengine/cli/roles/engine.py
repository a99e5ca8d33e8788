"""`oddsengine engine`: feeds and engine, without a gateway."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog

from oddsengine.common.processes.signals import on_reload
from oddsengine.engine.ownership.ownership import WARM_UP_S
from oddsengine.runtime.archiving.notes import note_history
from oddsengine.runtime.engine import engine_parts, open_engine, run_engine, serve_engine_api
from oddsengine.runtime.feed_runner import feed_sources, open_feeds
from oddsengine.runtime.feeding.running import share_feeds
from oddsengine.runtime.parts.access import access_part
from oddsengine.runtime.parts.serving import access_log_part
from oddsengine.runtime.parts.webhooks import open_endpoints, run_webhooks, webhooks_part
from oddsengine.runtime.processes.front import is_local, url_of
from oddsengine.runtime.processes.redis import provide_redis
from oddsengine.runtime.processes.startup import Step
from oddsengine.runtime.reload import ENGINE_READS, Reloader, run_reloader
from oddsengine.runtime.telemetry.http_observer import HttpObserver
from oddsengine.runtime.telemetry.metrics import build_registry
from oddsengine.runtime.telemetry.scrapes import open_scrapes
from oddsengine.runtime.telemetry.tracing import open_tracing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.settings import Settings

_log = structlog.get_logger(__name__)


async def engine(
    startup: Startup, settings: Settings, config: Path, load: Callable[[Path], Settings], *, connects_feeds: bool = True
) -> None:
    """Publish to the configured Redis until SIGINT or SIGTERM. SIGHUP and a change of the config file reload the profiles.

    Args:
        startup: the steps of the start.
        settings: the configuration. Its Redis has a URL.
        config: the file it was loaded from.
        load: loads that file again; raises ConfigError.
        connects_feeds: whether this process connects feeds that no other one is connected to; otherwise feeders do.
    """
    sources = feed_sources(settings.feeds)
    with startup.doing(Step.SECRETS):
        endpoints = open_endpoints(settings.webhooks)
    async with (
        open_feeds(settings.feeds if connects_feeds else {}, startup) as feeds,
        open_engine(settings, startup) as opened,
        open_scrapes(settings.metrics, startup) as scrapes,
        open_tracing(settings, "engine", startup) as tracing,
        provide_redis(settings, startup) as (redis_url, _),
        run_engine(settings, redis_url, sources, startup=startup, warm_up_s=WARM_UP_S, tracing=tracing) as running,
        AsyncExitStack() as stack,
    ):
        shared = await stack.enter_async_context(share_feeds(settings, redis_url, feeds if connects_feeds else None, running))
        with startup.doing(Step.OWN):
            await startup.unless_stopped(running.ownership.until_settled())
        await stack.enter_async_context(note_history(settings, redis_url, running, config))
        webhooks = await stack.enter_async_context(run_webhooks(settings, redis_url, running, endpoints))
        traced = [] if tracing is None else [tracing.samples]
        observer = HttpObserver(opened.admission.addresses, logs=settings.log.access, tracing=tracing)
        registry = build_registry([running.samples, shared.samples, webhooks.samples, observer.samples, *traced])
        access = access_part(opened.admission, "engine.host", settings.engine.host)
        parts = [*engine_parts(running), access, webhooks_part(webhooks), shared.part(), access_log_part(observer)]
        reloader = Reloader(config, load, settings, running.adopt, parts=parts, reads=ENGINE_READS)
        await stack.enter_async_context(run_reloader(reloader))
        local = is_local(settings.engine.host)
        await stack.enter_async_context(serve_engine_api(running, registry, opened, scrapes, observer, local=local))
        on_reload(reloader.request)
        startup.ready()
        url = url_of(settings.engine.host, opened.front.port)
        _log.info("publishing", metrics=f"{url}/metrics", feeds=list(settings.feeds))
        await startup.stopping.wait()
        _log.info("stopping")
        await webhooks.stop()
        # The shards first: their next owner needs the feeds of this process until it has some of its own.
        await running.hand_over()
        await running.stop()
        await shared.hand_over()
