"""`oddsengine gateway`: gateways that follow the streams of a Redis, one per worker process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import structlog

from oddsengine.common.signals import stop_event
from oddsengine.runtime.gateway import run_gateway
from oddsengine.runtime.workers import run_workers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.runtime.settings import Settings

_log = structlog.get_logger(__name__)


async def gateway(settings: Settings, *, reuse_port: bool = False) -> None:
    """Run one gateway in this process until SIGINT or SIGTERM, then drain.

    Args:
        settings: the configuration. Its Redis has a URL.
        reuse_port: whether other workers listen on the same port.
    """
    stop = stop_event()
    async with run_gateway(settings, settings.redis.url, reuse_port=reuse_port) as service:
        _log.info("serving", url=f"http://{settings.gateway.host}:{service.port}", worker=os.getpid())
        await stop.wait()
        _log.info("stopping", worker=os.getpid())


async def gateway_workers(count: int, host: str, port: int, arguments: Sequence[str]) -> None:
    """Run gateways in worker processes until SIGINT or SIGTERM, then drain them; see `run_workers`."""
    stop = stop_event()
    async with run_workers(count, host, port, [*arguments, "--workers", "1"]) as bound_port:
        _log.info("workers", url=f"http://{host}:{bound_port}", workers=count)
        await stop.wait()
