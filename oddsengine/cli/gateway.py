"""`oddsengine gateway`: gateways that follow the streams of a Redis, one per worker process."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog

from oddsengine.common.signals import on_reload
from oddsengine.runtime.gateway import open_gateway, run_gateway, wait_loaded
from oddsengine.runtime.processes.front import url_of
from oddsengine.runtime.processes.redis import provide_redis
from oddsengine.runtime.processes.workers import run_workers
from oddsengine.runtime.reload import GATEWAY_SECTIONS, Reloader, run_reloader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.settings import Settings

_log = structlog.get_logger(__name__)


async def gateway(
    startup: Startup, settings: Settings, config: Path, load: Callable[[Path], Settings], *, inherited: Sequence[int] = ()
) -> None:
    """Run one gateway in this process until SIGINT or SIGTERM, then drain. SIGHUP and a change of the file reload its config.

    Args:
        startup: the steps of the start.
        settings: the configuration. Its Redis has a URL.
        config: the file it was loaded from.
        load: loads that file again; raises ConfigError.
        inherited: the file descriptors of sockets to listen on; empty to bind the port.
    """
    async with (
        open_gateway(settings, startup, inherited=inherited) as opened,
        provide_redis(settings, startup) as (redis_url, _),
        run_gateway(settings, redis_url, opened=opened, startup=startup) as service,
        AsyncExitStack() as stack,
    ):
        reloader = Reloader(config, load, settings, None, sections=GATEWAY_SECTIONS)
        await stack.enter_async_context(run_reloader(reloader))
        on_reload(reloader.request)
        await wait_loaded(service, startup)
        url = url_of(settings.gateway.host, service.port, tls=opened.front.tls is not None)
        _log.info("serving", url=url, worker=os.getpid())
        await startup.stopping.wait()
        _log.info("stopping", worker=os.getpid())


async def gateway_workers(startup: Startup, settings: Settings, count: int, arguments: Sequence[str]) -> None:
    """Run gateways in worker processes until SIGINT or SIGTERM, then drain them; see `run_workers`."""
    gateway = settings.gateway
    async with run_workers(startup, count, gateway.host, gateway.port, arguments) as bound_port:
        _log.info("workers", url=url_of(gateway.host, bound_port, tls=bool(gateway.tls_cert)), workers=count)
        await startup.stopping.wait()
