"""`odds.v1` over a socket: its messages, from authentication to the last one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from oddsengine.gateway.access.authentication import Unauthorised
from oddsengine.gateway.access.published_keys import KeysUnavailable
from oddsengine.gateway.dialects.dialect import BACKLOG_POLL_S, MAX_BACKLOG_BYTES, CloseSession, SessionAccess, count_message
from oddsengine.gateway.protocol.client_messages import (
    PROTOCOL_JSON,
    PROTOCOL_MSGPACK,
    Authenticate,
    BadMessage,
    Subscribe,
    Unsubscribe,
    decode_message,
)
from oddsengine.gateway.protocol.codes import Close, ErrorCode
from oddsengine.gateway.protocol.encoders import JSON, MSGPACK
from oddsengine.gateway.server.websocket import Control

if TYPE_CHECKING:
    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.protocol.client_messages import ClientMessage
    from oddsengine.gateway.server.websocket import MessageSocket

#: Bad messages a session may send before it is closed.
MAX_BAD_MESSAGES: Final = 20
#: How many channels a session may name in a second, subscribed to or refused. It is not read for as long as those that it
#: named take at this rate; a message with a few of them is covered by the limit on messages.
_CHANNELS_PER_S: Final = 2000
_FEW_CHANNELS: Final = 10


class NativeDialect:
    """Speaks `odds.v1`.

    Args:
        hub: opens sessions and handles their messages.
        sessions: gives them what tokens grant.
    """

    path: Final = "/v1/stream"
    subprotocols: Final = (PROTOCOL_JSON, PROTOCOL_MSGPACK)

    def __init__(self, hub: Hub, sessions: SessionAccess) -> None:
        self._hub = hub
        self._sessions = sessions

    def open(self, socket: MessageSocket, transport: asyncio.Transport, access: Access | None, session_id: str) -> Session:
        """Open a session in the hub."""
        encoding = MSGPACK if socket.protocol == PROTOCOL_MSGPACK else JSON
        return self._hub.open(transport, access, encoding, socket.framing(text=encoding.is_text), session_id)

    async def converse(self, socket: MessageSocket, session: Session) -> None:
        """Handle what a client sends until the socket has ended. Raises CloseSession."""
        # One coroutine for all waits on the client: each further coroutine costs every socket a frame.
        if session.access is None:
            await self._await_authentication(socket, session)
        # Of a client that is gone, what it has sent is not read to the end: that may take minutes.
        while not socket.has_ended and session.is_open and not session.transport.is_closing():
            while session.backlog() > MAX_BACKLOG_BYTES and not session.transport.is_closing():  # noqa: ASYNC110
                await asyncio.sleep(BACKLOG_POLL_S)
            # No local holds the message: each socket would keep its last one while it waits for the next.
            request = self._handle(session, socket.content(await socket.receive()))
            if isinstance(request, Authenticate):
                await self._authenticate(session, request)
            elif request > _FEW_CHANNELS:
                await asyncio.sleep(request / _CHANNELS_PER_S)
        await socket.finish()

    async def _await_authentication(self, socket: MessageSocket, session: Session) -> None:
        """Wait for a valid token as the first message."""
        request: ClientMessage | None = None
        try:
            async with asyncio.timeout(self._sessions.timeout_s):
                while request is None:
                    content = socket.content(await socket.receive())
                    if content is None:
                        await socket.finish()
                        raise CloseSession(Close.UNAUTHORISED, "a token is required first")
                    request = self._decode(session, content)
                    if content is Control.FRAME:
                        self._count_bad_message(session)
        except TimeoutError:
            raise CloseSession(Close.AUTH_TIMEOUT, "no token in time") from None
        if not isinstance(request, Authenticate):
            raise CloseSession(Close.UNAUTHORISED, "a token is required first")
        await self._authenticate(session, request)

    async def _authenticate(self, session: Session, request: Authenticate) -> None:
        try:
            await self._sessions.replace(session, request.token)
        except Unauthorised as problem:
            self._hub.refuse(session, ErrorCode.UNAUTHORISED, str(problem), request.id)
            raise CloseSession(Close.UNAUTHORISED, "token rejected") from None
        except KeysUnavailable:
            text = "the identity provider does not answer: whether the token is valid is not known"
            self._hub.refuse(session, ErrorCode.NOT_READY, text, request.id)
            raise CloseSession(Close.OVERLOADED, "try again later") from None
        except CloseSession as end:
            if end.code is Close.FORBIDDEN:
                self._hub.refuse(session, ErrorCode.FORBIDDEN, end.reason, request.id)
                raise CloseSession(Close.FORBIDDEN, "another profile") from None
            raise
        self._hub.authenticated(session, request.id)

    def _handle(self, session: Session, content: str | bytes | Control | None) -> Authenticate | int:
        """Handle a message. Return how many channels it names. A token is returned instead: it takes time to verify."""
        request = None if content is None or not session.is_open else self._decode(session, content)
        if isinstance(request, Authenticate):
            return request
        if request is not None:
            self._hub.handle(session, request)
        return len(request.channels) if isinstance(request, Subscribe | Unsubscribe) else 0

    def _decode(self, session: Session, content: str | bytes | Control) -> ClientMessage | None:
        """Decode a message. Return None for a control frame, and for a bad message, which is answered with an error."""
        hub = self._hub
        count_message(hub, session, asyncio.get_running_loop().time())
        if isinstance(content, Control):
            return None
        if isinstance(content, str) != session.encoding.is_text:
            hub.counters.bad_messages += 1
            raise CloseSession(Close.BAD_MESSAGE, "messages must be JSON text, or MessagePack if negotiated as subprotocol")
        try:
            return decode_message(content)
        except BadMessage as problem:
            hub.counters.bad_messages += 1
            hub.refuse(session, ErrorCode.BAD_MESSAGE, str(problem))
            self._count_bad_message(session)
            return None

    @staticmethod
    def _count_bad_message(session: Session) -> None:
        """Count a bad message, and close the session if there were too many."""
        session.bad_messages += 1
        if session.bad_messages > MAX_BAD_MESSAGES:
            raise CloseSession(Close.BAD_MESSAGE, "too many bad messages") from None
