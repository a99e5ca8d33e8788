"""One accepted connection: aiohttp's protocol, which reports its traffic and its end, and refuses unmasked WebSocket frames."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Any, Final, Protocol

from aiohttp.web_protocol import RequestHandler

from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.http import error
from oddsengine.gateway.fanout.lingering import close_gently
from oddsengine.gateway.protocol.framing import close_frame

if TYPE_CHECKING:
    import asyncio

    from aiohttp import web
    from aiohttp.abc import AbstractAccessLogger

_MASK_BIT: Final = 0x80
_LENGTH_16: Final = 126
#: The size of a masked frame's head by its length field (RFC 6455, section 5.2); shorter lengths are in the field itself.
_HEAD_BYTES: Final = {126: 8, 127: 14}
_SHORT_HEAD_BYTES: Final = 6
_LONGEST_HEAD_BYTES: Final = 14
_PROTOCOL_ERROR: Final = 1002
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


class Owner(Protocol):
    """Is notified by its connections."""

    def received(self, connection: HttpConnection) -> None:
        """Handle bytes of an HTTP request."""
        ...

    def unmasked(self, connection: HttpConnection) -> None:
        """Handle an unmasked frame; the connection is being closed."""
        ...

    def unreadable(self, connection: HttpConnection) -> None:
        """Handle a request that can't be read; it is being answered."""
        ...

    def failed(self, connection: HttpConnection, problem: Exception) -> None:
        """Handle an error that nothing expected."""
        ...

    def lost(self, connection: HttpConnection) -> None:
        """Handle the end of a connection."""
        ...


class HttpConnection(RequestHandler):
    """A connection from its acceptance to its end.

    Args:
        manager: aiohttp's server, which handles the requests.
        owner: is notified.
        address: the client's, as it is counted.
        loop: the event loop.
        observer: is called with every answer that was written; None for nobody.
    """

    __slots__ = ("_head", "_left", "_owner", "address", "sent_bytes")

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
        self._owner = owner
        self.address = address
        #: bytes of the current WebSocket frame still to come; -1 while the connection carries HTTP
        self._left = -1
        #: the beginning of a frame's head whose rest has not arrived
        self._head = b""
        #: how many bytes its client has acknowledged, once it has ended; None if that is not known
        self.sent_bytes: int | None = None

    def expect_frames(self) -> bool:
        """Check from here on that every frame is masked. Return whether those that have arrived with the handshake are."""
        self._left = 0
        return self._follow(self._message_tail)

    def expect_requests(self) -> None:
        """Stop checking frames: the handshake has failed."""
        self._left = -1

    def data_received(self, data: bytes) -> None:
        """Handle bytes of the client."""
        if self._left < 0:
            self._owner.received(self)
        elif len(data) <= self._left:
            self._left -= len(data)
        elif not self._follow(data):
            self.refuse_unmasked()
            return
        try:
            super().data_received(data)
        except Exception as problem:  # noqa: BLE001 - the one door for what a parser makes of hostile bytes
            self._owner.failed(self, problem)
            self.force_close()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Return the answer to a request that can't be read, or whose handler has failed in a way that nothing expected."""
        if status == _INTERNAL_ERROR and isinstance(exc, Exception):
            self._owner.failed(self, exc)
            answer = error(status, ErrorCode.INTERNAL, "internal error; it has been logged")
        else:
            self._owner.unreadable(self)
            reason = (message or "").split("\n", 1)[0].strip(" :")[:_MAX_REASON_CHARACTERS]
            answer = error(status, ErrorCode.BAD_REQUEST, f"the request can't be read: {reason or 'it is not HTTP'}")
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        answer.force_close()
        return answer

    def connection_lost(self, exc: BaseException | None) -> None:
        """Handle the end of the connection."""
        if self._left >= 0 and self.access_logger is not None and self.transport is not None:
            self.sent_bytes = acknowledged_bytes(self.transport)
        self._owner.lost(self)
        super().connection_lost(exc)

    def _follow(self, data: bytes) -> bool:
        """Follow the frames in the bytes. Return False if one is not masked, as RFC 6455, section 5.1, requires."""
        position, size = self._left, len(data)
        while position < size:
            before = len(self._head)
            head = self._head + data[position : position + _LONGEST_HEAD_BYTES - before]
            if len(head) > 1 and not head[1] & _MASK_BIT:
                return False
            field = head[1] & ~_MASK_BIT if len(head) > 1 else 0
            head_size = _HEAD_BYTES.get(field, _SHORT_HEAD_BYTES)
            if len(head) < head_size:
                self._head, self._left = head, 0
                return True
            length = field if field < _LENGTH_16 else int.from_bytes(head[2 : head_size - 4], "big")
            position += head_size - before + length
            self._head = b""
        self._left = position - size
        return True

    def refuse_unmasked(self) -> None:
        """Close the connection because of an unmasked frame."""
        self._owner.unmasked(self)
        transport: Any = self.transport
        if transport is not None:
            transport.write(close_frame(_PROTOCOL_ERROR, "client frames must be masked"))
            close_gently(transport, half=False)
