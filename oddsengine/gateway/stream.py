"""`GET /v1/stream`: the WebSocket end of a session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from aiohttp import WSMsgType, web

from oddsengine.gateway.codes import Close, ErrorCode
from oddsengine.gateway.messages import PROTOCOL, decode_client_message

if TYPE_CHECKING:
    from oddsengine.gateway.hub import Hub
    from oddsengine.gateway.session import Session

#: Clients send subscriptions, nothing long.
MAX_MESSAGE_BYTES: Final = 256 * 1024
#: A client that goes on sending rubbish is closed.
BAD_MESSAGES_ALLOWED: Final = 20
#: The socket is closed if the client takes no part in the closing handshake for this long.
_CLOSE_TIMEOUT_S: Final = 2.0
_log = structlog.get_logger(__name__)


class StreamEndpoint:
    """Accepts sockets and feeds what they say to the hub.

    Args:
        hub: who is told what.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._sockets: dict[Session, web.WebSocketResponse] = {}
        self.draining = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one socket until it is closed."""
        socket = web.WebSocketResponse(
            protocols=(PROTOCOL,), compress=False, max_msg_size=MAX_MESSAGE_BYTES, timeout=_CLOSE_TIMEOUT_S
        )
        await socket.prepare(request)
        transport = request.transport
        if transport is None:
            return socket
        session = self._hub.open(transport)
        self._sockets[session] = socket
        try:
            await self._converse(socket, session)
        finally:
            self._sockets.pop(session, None)
            self._hub.close(session)
        return socket

    async def _converse(self, socket: web.WebSocketResponse, session: Session) -> None:
        hub = self._hub
        while True:
            received = await socket.receive()
            if received.type is WSMsgType.TEXT:
                try:
                    request = decode_client_message(received.data)
                except (msgspec.DecodeError, UnicodeEncodeError) as problem:
                    hub.counters.bad_messages += 1
                    session.bad_messages += 1
                    hub.refuse(session, ErrorCode.BAD_MESSAGE, str(problem))
                    if session.bad_messages > BAD_MESSAGES_ALLOWED:
                        await socket.close(code=Close.BAD_MESSAGE, message=b"too many bad messages")
                        return
                    continue
                hub.handle(session, request)
            elif received.type is WSMsgType.BINARY:
                hub.counters.bad_messages += 1
                await socket.close(code=Close.BAD_MESSAGE, message=b"messages are JSON text")
                return
            else:  # closed by the client, broken, or against the protocol
                return

    async def drain(self, *, spread_ms: int = 2000) -> None:
        """Say goodbye to every session, each with its own time to come back, and close them with 1012.

        Args:
            spread_ms: the span over which clients are told to reconnect, so that they do not come all at once.
        """
        self.draining = True
        sessions = list(self._sockets.items())
        for number, (session, _) in enumerate(sessions):
            self._hub.farewell(session, "drain", 200 + spread_ms * number // max(len(sessions), 1))
        await asyncio.gather(
            *(socket.close(code=Close.DRAINING, message=b"drain") for _, socket in sessions), return_exceptions=True
        )
        if sessions:
            _log.info("drained", sessions=len(sessions))
