"""Accepts connections, and cuts off those that take too long to say what they want (RFC 9110 allows 408, or just closing)."""

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

#: Connections waiting to be accepted: a whole shop of clients comes back at once after a restart.
_BACKLOG: Final = 4096
_LOOK_S: Final = 0.25


class HandshakeTimeouts:
    """Knows the connections that have not said what they want yet.

    Args:
        limit_s: how long they may take; 0: for ever.
        clock: monotonic seconds.
    """

    def __init__(self, limit_s: float, clock: Callable[[], float]) -> None:
        self._limit_s = limit_s
        self._clock = clock
        self._waiting: dict[asyncio.BaseProtocol, float] = {}
        #: connections that were cut off
        self.cut_off = 0

    def accepting(self, server: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Note each connection that a server accepts."""
        if not self._limit_s:
            return server

        def accept() -> asyncio.Protocol:
            protocol = server()
            self._waiting[protocol] = self._clock()
            return protocol

        return accept

    def done(self, request: web.BaseRequest) -> None:
        """Note that a connection has said what it wants."""
        self._waiting.pop(request.protocol, None)

    def noting(self, handler: Handler) -> Handler:
        """Note it for each request of a handler; a body still on its way is part of what it wants."""

        async def noted(request: web.Request) -> web.StreamResponse:
            if not request.can_read_body:
                self.done(request)
                return await handler(request)
            try:
                return await handler(request)
            finally:
                self.done(request)

        return noted

    async def watch(self) -> None:
        """Cut off whoever takes too long, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            now_s = self._clock()
            # In the order in which they came: the first that may go on waiting is the last to look at.
            for protocol, since_s in list(self._waiting.items()):
                if now_s - since_s <= self._limit_s:
                    break
                del self._waiting[protocol]
                transport = getattr(protocol, "transport", None)
                if transport is not None:
                    self.cut_off += 1
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
    """Accept connections for as long as the context lasts; give the port.

    Args:
        server: makes what serves a connection.
        host: the address.
        port: 0 takes a free one.
        certificate: for TLS; None for plain TCP.
        reuse_port: whether other processes may listen on the same port.
        lost_s: a client that acknowledges nothing for this long is gone: one out of reach, or switched off, does not say so.
    """
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(
        server, host, port, ssl=certificate, backlog=_BACKLOG, reuse_port=reuse_port or None, reuse_address=True
    )
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        for bound in listener.sockets:
            # What it accepts has it from it (tcp(7)); left alone, Linux goes on trying for a quarter of an hour.
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * lost_s))
    try:
        yield int(listener.sockets[0].getsockname()[1])
    finally:
        listener.close()
