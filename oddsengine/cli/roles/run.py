"""`oddsengine run`: feeds, engine and gateway in one process."""

from __future__ import annotations

from contextlib import AsyncExitStack
from itertools import chain
from typing import TYPE_CHECKING

import structlog

from oddsengine.common.processes.signals import on_reload
from oddsengine.runtime.archiving.companion import keep_history
from oddsengine.runtime.archiving.notes import note_history
from oddsengine.runtime.engine import engine_parts
from oddsengine.runtime.feed_runner import feed_sources, open_feeds
from oddsengine.runtime.feeding.local_feeds import LocalFeeds
from oddsengine.runtime.parts.webhooks import open_endpoints, run_webhooks, webhooks_part
from oddsengine.runtime.processes.front import url_of
from oddsengine.runtime.processes.startup import Step
from oddsengine.runtime.recording import record
from oddsengine.runtime.reload import Reloader, run_reloader
from oddsengine.runtime.service import run_service
from oddsengine.runtime.telemetry.scrapes import open_scrapes
from oddsengine.runtime.telemetry.tracing import open_tracing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.settings import Settings
    from oddsengine.runtime.telemetry.metrics import Source

_log = structlog.get_logger(__name__)


async def run(
    startup: Startup, settings: Settings, config: Path, load: Callable[[Path], Settings], record_to: Path | None = None
) -> None:
    """Run until SIGINT or SIGTERM, then drain. SIGHUP and a change of the config file reload it.

    Args:
        startup: the steps of the start.
        settings: the configuration.
        config: the file it was loaded from.
        load: loads that file again; raises ConfigError.
        record_to: the folder to record the feeds to, or None.
    """
    async with AsyncExitStack() as stack:
        feeds = await stack.enter_async_context(open_feeds(settings.feeds, startup))
        with startup.doing(Step.SECRETS):
            endpoints = open_endpoints(settings.webhooks)
        with startup.doing(Step.SECRETS, "choose a folder that can be written"):
            recorders = await stack.enter_async_context(record(settings.feeds, record_to))
        metrics: list[Source] = []
        more = [lambda: chain.from_iterable(each() for each in metrics)]
        tracing = await stack.enter_async_context(open_tracing(settings, "run", startup))
        scrapes = await stack.enter_async_context(open_scrapes(settings.metrics, startup))
        sources = feed_sources(settings.feeds)
        running = run_service(settings, sources, more, startup=startup, scrapes=scrapes, tracing=tracing)
        service = await stack.enter_async_context(running)
        service.history.follow(await stack.enter_async_context(keep_history(settings, service.redis_url, config)))
        await stack.enter_async_context(note_history(settings, service.redis_url, service.engine, config))
        local = LocalFeeds(service.engine, recorders)
        metrics.append(local.samples)
        await stack.enter_async_context(local.running(settings.feeds, feeds))
        telling = run_webhooks(settings, service.redis_url, service.engine, endpoints)
        webhooks = await stack.enter_async_context(telling)
        metrics.append(webhooks.samples)
        parts = [*engine_parts(service.engine), *service.parts, webhooks_part(webhooks), local.part()]
        reloader = Reloader(config, load, settings, service.engine.adopt, parts=parts)
        await stack.enter_async_context(run_reloader(reloader))
        on_reload(reloader.request)
        url = url_of(settings.gateway.host, service.port, tls=bool(settings.gateway.tls_cert))
        _log.info("serving", url=url, feeds=list(settings.feeds))
        await startup.stopping.wait()
        await service.withdraw(startup)
        _log.info("stopping")
        await webhooks.stop()
        await service.engine.hand_over()
