"""Accepts connections, and closes those whose request takes too long to arrive (RFC 9110, 15.5.9, allows just closing)."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable

    from aiohttp import web
    from aiohttp.typedefs import Handler

#: Connections waiting to be accepted: after a restart all clients reconnect at once.
_BACKLOG: Final = 4096
_POLL_S: Final = 0.25


class HandshakeTimeouts:
    """Tracks connections whose request has not arrived yet.

    Args:
        timeout_s: how long a request may take to arrive; 0 for no limit.
        clock: monotonic seconds.
    """

    def __init__(self, timeout_s: float, clock: Callable[[], float]) -> None:
        self._timeout_s = timeout_s
        self._clock = clock
        self._pending: dict[asyncio.BaseProtocol, float] = {}
        #: connections closed for being too slow
        self.timed_out = 0

    def track(self, server: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Wrap a protocol factory so that each accepted connection is tracked."""
        if not self._timeout_s:
            return server

        def accept() -> asyncio.Protocol:
            protocol = server()
            self._pending[protocol] = self._clock()
            return protocol

        return accept

    def complete(self, request: web.BaseRequest) -> None:
        """Stop tracking a connection: its request has arrived."""
        self._pending.pop(request.protocol, None)

    def completing(self, handler: Handler) -> Handler:
        """Wrap a handler so that its requests complete the handshake. A request is complete once its body has arrived."""

        async def wrapped(request: web.Request) -> web.StreamResponse:
            if not request.can_read_body:
                self.complete(request)
                return await handler(request)
            try:
                return await handler(request)
            finally:
                self.complete(request)

        return wrapped

    async def watch(self) -> None:
        """Close connections that are too slow, until cancelled."""
        while True:
            await asyncio.sleep(_POLL_S)
            now_s = self._clock()
            # Oldest first: the first connection within its time ends the scan.
            for protocol, since_s in list(self._pending.items()):
                if now_s - since_s <= self._timeout_s:
                    break
                del self._pending[protocol]
                transport = getattr(protocol, "transport", None)
                if transport is not None:
                    self.timed_out += 1
                    transport.abort()


@asynccontextmanager
async def listening(
    server: Callable[[], asyncio.Protocol],
    host: str,
    port: int,
    certificate: ssl.SSLContext | None,
    *,
    reuse_port: bool,
    lost_s: float,
) -> AsyncIterator[int]:
    """Accept connections while the context is open, and yield the port.

    Args:
        server: the protocol factory.
        host: the address to bind.
        port: the port to bind; 0 for a free one.
        certificate: for TLS; None for plain TCP.
        reuse_port: whether other processes may listen on the same port.
        lost_s: a connection whose client acknowledges nothing for this long is closed: an unreachable client never closes it.
    """
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(
        server, host, port, ssl=certificate, backlog=_BACKLOG, reuse_port=reuse_port or None, reuse_address=True
    )
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        for bound in listener.sockets:
            # Accepted sockets inherit it (tcp(7)). The default of Linux is to retry for about 15 minutes.
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * lost_s))
    try:
        yield int(listener.sockets[0].getsockname()[1])
    finally:
        listener.close()
