"""One accepted connection: aiohttp's protocol, which reports its traffic and its end, and hands a WebSocket's connection over.

Most connections are opened for a socket and carry one request, its handshake. What aiohttp keeps and does for requests, which is
half of the work of a handshake, begins with the first request that is none, or that is refused.
"""

from __future__ import annotations

import socket
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp import hdrs, web
from aiohttp.http import RawRequestMessage, StreamWriter
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.tcp_helpers import tcp_keepalive, tcp_nodelay
from aiohttp.web_protocol import RequestHandler

from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.http import RequestRejected, error

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from aiohttp.abc import AbstractAccessLogger

_INTERNAL_ERROR: Final = 500
_MAX_REASON_CHARACTERS: Final = 200
#: Linux's `struct tcp_info` up to `tcpi_bytes_acked`.
_TCP_INFO_BYTES: Final = 128
_ACKNOWLEDGED: Final = slice(120, 128)


def acknowledged_bytes(transport: asyncio.BaseTransport) -> int | None:
    """Return how many bytes the other end of a TCP connection has acknowledged (tcp(7), TCP_INFO); None if that is not known."""
    sock = transport.get_extra_info("socket")
    if sock is None or not hasattr(socket, "TCP_INFO"):
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:
        return None
    return int.from_bytes(info[_ACKNOWLEDGED], sys.byteorder) if len(info) == _TCP_INFO_BYTES else None


class Accepted(Protocol):
    """A connection as its owner counts it."""

    @property
    def address(self) -> str:
        """The client's."""
        ...


class Owner(Protocol):
    """Is notified by its connections."""

    def received(self, connection: HttpConnection) -> None:
        """Handle bytes of an HTTP request."""
        ...

    def unmasked(self, connection: Accepted) -> None:
        """Handle an unmasked frame; the connection is being closed."""
        ...

    def unreadable(self, connection: HttpConnection) -> None:
        """Handle a request that can't be read; it is being answered."""
        ...

    def failed(self, connection: HttpConnection, problem: Exception) -> None:
        """Handle an error that nothing expected."""
        ...

    def lost(self, connection: Accepted) -> None:
        """Handle the end of a connection."""
        ...


class SocketEndpoint(Protocol):
    """Opens sockets."""

    async def open(self, request: web.BaseRequest) -> None:
        """Complete a handshake, and hand its connection over. Raises RequestRejected if it is refused."""
        ...


NO_SOCKETS: Final[Mapping[str, SocketEndpoint]] = MappingProxyType({})


class HttpConnection(RequestHandler):
    """A connection from its acceptance to its end, or until it is handed over.

    Args:
        manager: aiohttp's server, which handles the requests.
        owner: is notified.
        address: the client's, as it is counted.
        loop: the event loop.
        observer: is called with every answer that was written; None for nobody.
        sockets: by path, what opens a socket if its handshake is the first request. They answer the same requests by a route.
    """

    __slots__ = ("_has_begun", "_refusal", "_sockets", "address", "owner")

    def __init__(
        self,
        manager: web.Server,
        owner: Owner,
        address: str,
        loop: asyncio.AbstractEventLoop,
        observer: AbstractAccessLogger | None = None,
        sockets: Mapping[str, SocketEndpoint] = NO_SOCKETS,
    ) -> None:
        kind: Any = lambda *_: observer  # noqa: E731 - aiohttp makes one for each connection
        log: Any = observer and observer.logger
        super().__init__(manager, loop=loop, access_log=log, access_log_class=kind)
        self.owner = owner
        self.address = address
        self._sockets = sockets
        self._has_begun = False
        #: why a handshake was refused that aiohttp is to answer
        self._refusal: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Handle a new connection. What aiohttp does with one waits for a request that it is to answer."""
        opened: Any = transport
        self.transport = opened
        tcp_nodelay(opened, True)
        tcp_keepalive(opened)
        if self._manager is not None:
            self._manager.connection_made(self, opened)

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Leave the connection to another protocol, with what has arrived after the handshake that is being answered."""
        transport, manager, data = self.transport, self._manager, self._message_tail
        if transport is None or manager is None:
            return
        # What remains here ends with the request, and must not touch the connection any more.
        self.keep_alive(False)
        self._parser = None
        self._message_tail = b""
        self.transport = None
        manager.connection_lost(self)
        transport.set_protocol(protocol)
        transport.resume_reading()
        if data:
            protocol.data_received(data)

    def data_received(self, data: bytes) -> None:
        """Handle bytes of the client."""
        self.owner.received(self)
        try:
            super().data_received(data)
        except Exception as problem:  # noqa: BLE001 - the one door for what a parser makes of hostile bytes
            self.owner.failed(self, problem)
            self.force_close()
        if not self._has_begun and self._messages and self.transport is not None:
            self._has_begun = True
            self._begin(self.transport)

    def _begin(self, transport: asyncio.Transport) -> None:
        """Handle the first request."""
        message, payload = self._messages[0]
        if len(self._messages) == 1 and payload is EMPTY_PAYLOAD and isinstance(message, RawRequestMessage) and message.upgrade:
            endpoint = self._sockets.get(message.url.path)
            if endpoint is not None and message.method == hdrs.METH_GET and hdrs.EXPECT not in message.headers:
                self._messages.clear()
                self._task_handler = self._loop.create_task(self._open(endpoint, message))
                return
        super().connection_made(transport)

    async def _open(self, endpoint: SocketEndpoint, message: RawRequestMessage) -> None:
        """Open a socket, or let aiohttp answer why it was refused."""
        task: Any = self._task_handler
        request = web.BaseRequest(message, EMPTY_PAYLOAD, self, StreamWriter(self, self._loop), task, self._loop)
        try:
            await endpoint.open(request)
        except Exception as problem:  # noqa: BLE001 - the endpoint's route answers all of them
            if self.transport is not None:
                self._refusal = problem
                self._messages.append((message, EMPTY_PAYLOAD))
                super().connection_made(self.transport)
            elif not isinstance(problem, RequestRejected | ConnectionError):
                self.owner.failed(self, problem)

    def raise_refusal(self) -> None:
        """Raise what a handshake was refused with, once."""
        refusal, self._refusal = self._refusal, None
        if refusal is not None:
            raise refusal

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Return the answer to a request that can't be read, or whose handler has failed in a way that nothing expected."""
        if status == _INTERNAL_ERROR and isinstance(exc, Exception):
            self.owner.failed(self, exc)
            answer = error(status, ErrorCode.INTERNAL, "internal error; it has been logged")
        else:
            self.owner.unreadable(self)
            reason = (message or "").split("\n", 1)[0].strip(" :")[:_MAX_REASON_CHARACTERS]
            answer = error(status, ErrorCode.BAD_REQUEST, f"the request can't be read: {reason or 'it is not HTTP'}")
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        answer.force_close()
        return answer

    def connection_lost(self, exc: BaseException | None) -> None:
        """Handle the end of the connection."""
        self.owner.lost(self)
        super().connection_lost(exc)
