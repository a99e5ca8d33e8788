"""One WebSocket as RFC 6455 has it: accepted, read whole message by whole message, closed by the rules."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from aiohttp import WSCloseCode, WSMsgType, web

from oddsengine.gateway.protocol.framing import Framing, close_frame, pong_frame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from aiohttp import WSMessage

#: The socket is closed if the client takes no part in the closing handshake for this long.
_CLOSE_TIMEOUT_S: Final = 2.0
#: So much later than the code comes the end of one that is cut off: what was not read is answered with a reset.
_GRACE_S: Final = 0.1
#: The codes a closing frame may carry (RFC 6455, section 7.4; the registry at IANA goes up to 1014).
_PROTOCOL_CODES: Final = frozenset({*range(1000, 1004), *range(1007, 1015)})
_OWN_CODES: Final = range(3000, 5000)


class Control(Enum):
    """What is no message, but came from the client as one does: a ping, which has been answered, or a pong."""

    FRAME = auto()


class MessageSocket:
    """A server's end of a WebSocket; frames are written to `transport` ready made, in the `framing` that was negotiated.

    Args:
        protocols: the subprotocols we speak, the preferred one first.
        max_bytes: the longest message a client may send, decompressed.
        compress: whether permessage-deflate may be negotiated.
    """

    __slots__ = ("_end", "_request", "_socket")

    def __init__(self, protocols: Sequence[str], max_bytes: int, *, compress: bool = True) -> None:
        self._socket = web.WebSocketResponse(
            protocols=protocols,
            compress=compress,
            max_msg_size=max_bytes,
            timeout=_CLOSE_TIMEOUT_S,
            autoclose=False,
            autoping=False,
        )
        self._request: web.Request | None = None
        #: what was received instead of a message
        self._end: WSMessage | None = None

    async def accept(self, request: web.Request) -> None:
        """Do the opening handshake. Raises web.HTTPBadRequest if it is none."""
        await self._socket.prepare(request)
        self._request = request

    @property
    def response(self) -> web.StreamResponse:
        """What the request's handler returns in the end."""
        return self._socket

    @property
    def transport(self) -> asyncio.Transport | None:
        """Where to write frames; None once the socket is gone."""
        return self._request.transport if self._request is not None else None

    @property
    def protocol(self) -> str | None:
        """The subprotocol agreed on."""
        return self._socket.ws_protocol

    def framing(self, *, text: bool = True) -> Framing:
        """Give the framing agreed on; sockets that agreed on the same share it."""
        return _framing(text, int(self._socket.compress))

    def receive(self) -> Awaitable[WSMessage]:
        """Wait for what comes next; `content` says what that is."""
        return self._socket.receive()

    def content(self, received: WSMessage) -> str | bytes | Control | None:
        """Give the whole message that was received; None if that was the end, by whomever: then `finish`."""
        if received.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
            data: str | bytes = received.data
            return data
        if received.type is WSMsgType.PING and self.transport is not None:
            self.transport.write(pong_frame(received.data))
        if received.type in {WSMsgType.PING, WSMsgType.PONG}:
            return Control.FRAME
        self._end = received
        return None

    @property
    def has_ended(self) -> bool:
        """Whether the end was received."""
        return self._end is not None

    async def finish(self) -> None:
        """Answer the client's end."""
        if self._end is not None and self._end.type is WSMsgType.CLOSE:
            await self._socket.close(code=_answer_to(self._end.data))
        self._let_go()

    async def close(self, code: int, reason: str) -> None:
        """Close from our side and wait for the client's answer, a while."""
        await self._socket.close(code=code, message=reason.encode())
        self._let_go()

    async def cut_off(self, code: int, reason: str) -> None:
        """Close from our side and read no more: who sends too much may go on doing so."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        transport.pause_reading()
        transport.write(close_frame(code, reason))
        await asyncio.sleep(_GRACE_S)
        transport.abort()

    def _let_go(self) -> None:
        """Drop the way that led to the end: it leads back to the socket, and would keep it until the collector comes."""
        error = self._socket.exception()
        while error is not None:
            error.__traceback__ = None
            error = error.__context__


_framing = lru_cache(Framing)


def _answer_to(code: int) -> int:
    """Say the client's code back; a code nobody may send is against the protocol."""
    if not code:
        return WSCloseCode.OK
    return code if code in _PROTOCOL_CODES or code in _OWN_CODES else WSCloseCode.PROTOCOL_ERROR
