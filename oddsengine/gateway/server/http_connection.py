"""One accepted connection: aiohttp's protocol, which reports its traffic and its end, and hands a WebSocket's connection over."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp.web_protocol import RequestHandler

from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.http import error

if TYPE_CHECKING:
    import asyncio

    from aiohttp import web
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


class HttpConnection(RequestHandler):
    """A connection from its acceptance to its end, or until it is handed over.

    Args:
        manager: aiohttp's server, which handles the requests.
        owner: is notified.
        address: the client's, as it is counted.
        loop: the event loop.
        observer: is called with every answer that was written; None for nobody.
    """

    __slots__ = ("address", "owner")

    def __init__(
        self,
        manager: web.Server,
        owner: Owner,
        address: str,
        loop: asyncio.AbstractEventLoop,
        observer: AbstractAccessLogger | None = None,
    ) -> None:
        kind: Any = lambda *_: observer  # noqa: E731 - aiohttp makes one for each connection
        log: Any = observer and observer.logger
        super().__init__(manager, loop=loop, access_log=log, access_log_class=kind)
        self.owner = owner
        self.address = address

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
