"""The server end of one WebSocket (RFC 6455): handshake, whole messages, closing."""

from __future__ import annotations

import base64
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from aiohttp import HttpVersion11, WSCloseCode, WSMsgType, web

from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.http import RequestRejected, error
from oddsengine.gateway.fanout.lingering import close_gently, is_lingering, wait_closed
from oddsengine.gateway.protocol.framing import Framing, pong_frame
from oddsengine.gateway.server.http_connection import HttpConnection

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Sequence

    from aiohttp import WSMessage

#: How long to wait for the client's closing frame.
_CLOSE_TIMEOUT_S: Final = 2.0
#: The codes a closing frame may carry (RFC 6455, section 7.4; the IANA registry ends at 1014).
_PROTOCOL_CODES: Final = frozenset({*range(1000, 1004), *range(1007, 1015)})
_APPLICATION_CODES: Final = range(3000, 5000)
_VERSION: Final = "13"
_KEY_BYTES: Final = 16
#: Of a refusal: what would be accepted (RFC 6455, section 4.4; RFC 9110, section 15.5.22).
_UPGRADE: Final = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": _VERSION}


class Control(Enum):
    """Returned in place of a message: a control frame was received. Pings have been answered."""

    FRAME = auto()


class _Response(web.WebSocketResponse):
    """Closes gently where aiohttp closes by itself, as after a message that is too long."""

    __slots__ = ()

    def _close_transport(self) -> None:
        if self._req is not None and self._req.transport is not None:
            close_gently(self._req.transport, half=False)


class MessageSocket:
    """A server's WebSocket. It reads messages; callers write ready frames to `transport` in the negotiated `framing`.

    Args:
        protocols: the supported subprotocols, the preferred one first.
        max_bytes: the longest message a client may send, decompressed.
        compress: whether permessage-deflate may be negotiated.
    """

    __slots__ = ("_end", "_request", "_socket")

    def __init__(self, protocols: Sequence[str], max_bytes: int, *, compress: bool = True) -> None:
        self._socket = _Response(
            protocols=protocols,
            compress=compress,
            max_msg_size=max_bytes,
            timeout=_CLOSE_TIMEOUT_S,
            autoclose=False,
            autoping=False,
        )
        self._request: web.Request | None = None
        #: what was received in place of a message when the socket ended
        self._end: WSMessage | None = None

    async def accept(self, request: web.Request) -> None:
        """Complete the opening handshake. Raises RequestRejected or web.HTTPException if the request is not one.

        If an unmasked frame has arrived with it, the connection is being closed.
        """
        _check_handshake(request)
        connection = request.protocol
        if not isinstance(connection, HttpConnection):
            await self._socket.prepare(request)
        else:
            are_masked = connection.expect_frames()
            try:
                await self._socket.prepare(request)
            except web.HTTPException:
                connection.expect_requests()
                raise
            if not are_masked:
                connection.refuse_unmasked()
        self._request = request

    @property
    def response(self) -> web.StreamResponse:
        """The response that the request's handler must return."""
        return self._socket

    @property
    def transport(self) -> asyncio.Transport | None:
        """The transport to write frames to; None once the connection is closed."""
        return self._request.transport if self._request is not None else None

    @property
    def protocol(self) -> str | None:
        """The negotiated subprotocol."""
        return self._socket.ws_protocol

    def framing(self, *, text: bool = True) -> Framing:
        """Return the negotiated framing. Sockets that negotiated the same share one object."""
        return _framing(text, int(self._socket.compress))

    def receive(self) -> Awaitable[WSMessage]:
        """Wait for the next frame, which `content` interprets."""
        return self._socket.receive()

    def content(self, received: WSMessage) -> str | bytes | Control | None:
        """Return the message that was received, or None if the socket has ended; call `finish` then."""
        if received.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
            data: str | bytes = received.data
            return data
        if received.type is WSMsgType.PING and self.transport is not None and not is_lingering(self.transport):
            self.transport.write(pong_frame(received.data))
        if received.type in {WSMsgType.PING, WSMsgType.PONG}:
            return Control.FRAME
        self._end = received
        return None

    @property
    def has_ended(self) -> bool:
        """Whether the end of the socket was received."""
        return self._end is not None

    async def finish(self) -> None:
        """Answer the client's closing frame, and wait until the connection is closed."""
        if self._end is not None and self._end.type is WSMsgType.CLOSE:
            await self._socket.close(code=close_reply(self._end.data))
        if self.transport is not None:
            await wait_closed(self.transport)
        self._drop_traceback()

    def _drop_traceback(self) -> None:
        """Clear the tracebacks of the closing error: they refer to the socket and would keep it alive until a collection."""
        error = self._socket.exception()
        while error is not None:
            error.__traceback__ = None
            error = error.__context__


def _check_handshake(request: web.Request) -> None:
    """Raise RequestRejected unless a request is an opening handshake (RFC 6455, section 4.2.1)."""
    headers = request.headers
    upgrades = {part.strip().lower() for value in headers.getall("Upgrade", ()) for part in value.split(",")}
    if "websocket" not in upgrades or request.version < HttpVersion11:
        raise RequestRejected(
            error(426, ErrorCode.BAD_REQUEST, "a WebSocket handshake is required: Upgrade: websocket", _UPGRADE)
        )
    version = headers.get("Sec-WebSocket-Version", "")
    if version.strip() != _VERSION:
        text = f"WebSocket version {version!r} is not supported, only {_VERSION}"
        raise RequestRejected(error(426, ErrorCode.BAD_REQUEST, text, _UPGRADE))
    key = headers.get("Sec-WebSocket-Key", "").strip()
    try:
        size = len(base64.b64decode(key, validate=True))
    except ValueError:
        size = 0
    if size != _KEY_BYTES:
        raise RequestRejected(error(400, ErrorCode.BAD_REQUEST, "Sec-WebSocket-Key is not 16 bytes in base64"))


_framing = lru_cache(Framing)


def close_reply(code: int) -> int:
    """Return the code to answer a closing frame with: the client's, or 1002 if RFC 6455 does not allow sending that."""
    if not code:
        return WSCloseCode.OK
    return code if code in _PROTOCOL_CODES or code in _APPLICATION_CODES else WSCloseCode.PROTOCOL_ERROR
