"""`oddsengine bridge`: what is published, settled and commanded, passed on to a broker."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog

from oddsengine.runtime.parts.access import build_admission, without_anonymous
from oddsengine.runtime.parts.bridge import check_bridge, run_bridge
from oddsengine.runtime.parts.sole_worker import serve_worker_api
from oddsengine.runtime.processes.front import is_local, open_front, url_of
from oddsengine.runtime.processes.redis import provide_redis
from oddsengine.runtime.processes.startup import Step
from oddsengine.runtime.telemetry.http_observer import HttpObserver
from oddsengine.runtime.telemetry.scrapes import open_scrapes

if TYPE_CHECKING:
    from oddsengine.runtime.parts.bridge import BridgeKind
    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.settings import Settings

_log = structlog.get_logger(__name__)


async def bridge(startup: Startup, settings: Settings, kind: BridgeKind) -> None:
    """Publish to a broker until SIGINT or SIGTERM, or wait while another process does.

    Args:
        startup: the steps of the start.
        settings: the configuration. Its Redis has a URL, and it has the bridge.
        kind: which bridge.
    """
    section = getattr(settings.bridge, kind)
    async with AsyncExitStack() as stack:
        with startup.doing(Step.SECRETS):
            check_bridge(kind, section)
            admission = build_admission(without_anonymous(settings, f"bridge.{kind}.host", section.host))
        front = await stack.enter_async_context(open_front(section.host, section.port, startup))
        scrapes = await stack.enter_async_context(open_scrapes(settings.metrics, startup))
        redis_url, _ = await stack.enter_async_context(provide_redis(settings, startup))
        running = await stack.enter_async_context(run_bridge(settings, redis_url, kind))
        local = is_local(section.host)
        observer = HttpObserver(admission.addresses, logs=settings.log.access)
        await stack.enter_async_context(serve_worker_api(running, front, admission, scrapes, observer, local=local))
        startup.ready()
        _log.info("bridge ready", broker=kind, metrics=f"{url_of(section.host, front.port)}/metrics")
        await startup.stopping.wait()
        _log.info("stopping")
        await running.stop()
