"""The server's end of one WebSocket: frames become messages, which are handled in order, each once the one before is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from aiohttp import WSCloseCode, WSMsgType
from aiohttp._websocket.reader import WebSocketDataQueue
from aiohttp.http_websocket import WebSocketError, WebSocketReader

from oddsengine.gateway.fanout.lingering import close_gently
from oddsengine.gateway.protocol.framing import close_frame, pong_frame
from oddsengine.gateway.server.http_connection import acknowledged_bytes
from oddsengine.gateway.server.sockets.masks import Masks

if TYPE_CHECKING:
    from aiohttp import WSMessage

    from oddsengine.gateway.server.http_connection import HttpConnection, Owner

#: The codes a closing frame may carry (RFC 6455, section 7.4; the IANA registry ends at 1014).
_PROTOCOL_CODES: Final = frozenset({*range(1000, 1004), *range(1007, 1015)})
_APPLICATION_CODES: Final = range(3000, 5000)
#: So many bytes are read into messages at a time: the messages in them are all that is kept of what is not handled yet.
_READ_BYTES: Final = 16 * 1024
#: While more than this waits to be handled, nothing is read.
_MAX_UNREAD_BYTES: Final = 64 * 1024


class Control(Enum):
    """Handled in place of a message: a control frame was received. Pings have been answered."""

    FRAME = auto()


Content: TypeAlias = str | bytes | Control
#: What must be awaited before the next message is handled. It begins when it is called.
Wait: TypeAlias = Callable[[], Awaitable[None]]


class Listener(Protocol):
    """Handles what a socket receives."""

    def received(self, content: Content) -> Wait | None:
        """Handle a message. Return what must be awaited before the next one; None for nothing."""
        ...

    def ended(self) -> None:
        """Handle that nothing more may be written: the client closes the socket, or has broken the protocol."""
        ...

    def failed(self, problem: Exception) -> None:
        """Handle an error that nothing expected."""
        ...

    def lost(self) -> None:
        """Handle the end of the connection."""
        ...


class _Received(WebSocketDataQueue):
    """Collects what a reader finds in bytes that it was given."""

    __slots__ = ("code", "messages", "reason")

    def __init__(self) -> None:
        # Without what the base prepares for who waits for messages: nobody does.
        self.messages: list[WSMessage] = []
        #: what a broken rule is answered with, and which one it was; 0 while none is broken
        self.code = 0
        self.reason = ""

    def feed_data(self, data: Any, size: int) -> None:
        """Collect a message."""
        del size
        self.messages.append(data)

    def set_exception(self, exc: BaseException, exc_cause: BaseException | None = None) -> None:
        """Note that a rule was broken."""
        del exc_cause
        self.code = exc.code if isinstance(exc, WebSocketError) else WSCloseCode.PROTOCOL_ERROR
        self.reason = str(exc)


class SocketConnection(asyncio.Protocol):
    """A WebSocket after its handshake. Callers write ready frames to the transport.

    It has a task only while something must be awaited.

    Args:
        connection: the connection whose request was the handshake.
        transport: carries it.
        max_bytes: the longest message a client may send, decompressed.
        is_compressed: whether permessage-deflate was negotiated.
    """

    __slots__ = (
        "_has_begun",
        "_has_ended",
        "_listener",
        "_masks",
        "_measures",
        "_owner",
        "_reader",
        "_received",
        "_unread",
        "_waiting",
        "address",
        "sent_bytes",
        "transport",
    )

    def __init__(self, connection: HttpConnection, transport: asyncio.Transport, max_bytes: int, *, is_compressed: bool) -> None:
        self.transport = transport
        #: the client's, as its connections are counted
        self.address = connection.address
        #: how many bytes its client has acknowledged, once it has ended; None if that is not known
        self.sent_bytes: int | None = None
        self._owner: Owner = connection.owner
        self._measures = connection.access_logger is not None
        self._listener: Listener | None = None
        self._masks = Masks()
        self._received = _Received()
        self._reader = WebSocketReader(self._received, max_bytes, compress=is_compressed, decode_text=True)
        #: what has arrived and was not read into messages
        self._unread = b""
        self._waiting: asyncio.Task[None] | None = None
        self._has_begun = False
        self._has_ended = False

    def set_listener(self, listener: Listener) -> None:
        """Report the end of the connection to a listener, and its messages once they are asked for."""
        self._listener = listener

    def begin(self) -> None:
        """Handle what has arrived, and what will."""
        self._has_begun = True
        self._advance()
        if self._waiting is None and not self._has_ended:
            # It was paused where much has come along with the handshake.
            self.transport.resume_reading()

    @property
    def is_waiting(self) -> bool:
        """Whether something is awaited before the next message is handled."""
        return self._waiting is not None

    # -- what the transport calls ---------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Handle bytes of the client."""
        if self._has_ended:
            return
        if not self._masks.are_set(data):
            self._owner.unmasked(self)
            self._end(WSCloseCode.PROTOCOL_ERROR, "client frames must be masked")
            return
        self._unread += data
        if self._has_begun and self._waiting is None:
            self._advance()
        elif len(self._unread) > _MAX_UNREAD_BYTES:
            self.transport.pause_reading()

    def eof_received(self) -> None:
        """Allow the transport to close: a client that does not send any more has left."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Handle the end of the connection."""
        del exc
        self._has_ended = True
        if self._waiting is not None:
            self._waiting.cancel()
        if self._measures:
            self.sent_bytes = acknowledged_bytes(self.transport)
        # Cleared, so that no cycle keeps it in memory.
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.lost()
        self._owner.lost(self)

    # -- messages in order ----------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Handle what has arrived, until something must be awaited."""
        try:
            wait = self._handle()
        except Exception as problem:  # noqa: BLE001 - the one door for all of them
            self._fail(problem)
            return
        if wait is not None:
            self._waiting = asyncio.create_task(self._await_and_advance(wait), name="socket")

    async def _await_and_advance(self, first: Wait) -> None:
        """Await something, then handle what has arrived meanwhile. May be cancelled."""
        wait: Wait | None = first
        try:
            while wait is not None:
                await wait()
                wait = self._handle()
        except Exception as problem:  # noqa: BLE001 - the one door for all of them
            self._fail(problem)
        finally:
            self._waiting = None
        if not self._has_ended:
            self.transport.resume_reading()

    def _handle(self) -> Wait | None:
        """Handle messages. Return what must be awaited before the next one; None if all that has arrived is handled."""
        received, transport = self._received, self.transport
        # Once the socket is being closed by this side, another protocol has taken this one's place.
        while not self._has_ended and transport.get_protocol() is self and not transport.is_closing():
            if received.messages:
                wait = self._handle_message(received.messages.pop(0))
                if wait is not None:
                    return wait
            elif received.code:
                self._end(received.code, received.reason)
            elif self._unread:
                data, self._unread = self._unread[:_READ_BYTES], self._unread[_READ_BYTES:]
                self._reader.feed_data(data)
            else:
                return None
        return None

    def _handle_message(self, message: WSMessage) -> Wait | None:
        kind, listener = message.type, self._listener
        if listener is None:
            return None
        if kind is WSMsgType.TEXT or kind is WSMsgType.BINARY:
            return listener.received(message.data)
        if kind is WSMsgType.CLOSE:
            self._end(close_reply(message.data))
            return None
        if kind is WSMsgType.PING:
            self.transport.write(pong_frame(message.data))
        return listener.received(Control.FRAME)

    def _end(self, code: int, reason: str = "") -> None:
        """Send a closing frame and close the connection."""
        self._has_ended = True
        if self._listener is not None:
            self._listener.ended()
        if not self.transport.is_closing():
            self.transport.write(close_frame(code, reason))
            close_gently(self.transport, half=False)

    def _fail(self, problem: Exception) -> None:
        if self._listener is not None:
            self._listener.failed(problem)


def close_reply(code: int) -> int:
    """Return the code to answer a closing frame with: the client's, or 1002 if RFC 6455 does not allow sending that."""
    if not code:
        return WSCloseCode.OK
    return code if code in _PROTOCOL_CODES or code in _APPLICATION_CODES else WSCloseCode.PROTOCOL_ERROR
