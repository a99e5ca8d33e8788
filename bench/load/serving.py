"""Serve an application as a gateway does: accepted by its listener, which can hand connections over to sockets."""

from __future__ import annotations

import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from aiohttp import web

from oddsengine.common.internal_errors import InternalErrors
from oddsengine.gateway.access.rate_limits import ClientAddresses
from oddsengine.gateway.server.listener import AcceptLimits, Acceptor
from oddsengine.gateway.server.timeouts import HandshakeTimeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_BACKLOG: Final = 4096


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[int]:
    """Serve an application on a free port of loopback. Yield the port."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    assert runner.server is not None  # noqa: S101 - it was set up
    timeouts = HandshakeTimeouts(0.0, time.monotonic)
    try:
        with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listening:
            errors = InternalErrors()
            async with Acceptor(runner.server, [listening], None, timeouts, ClientAddresses(()), AcceptLimits(), errors):
                yield int(listening.getsockname()[1])
    finally:
        await runner.cleanup()
