"""`GET /v1/stream`: sessions over WebSockets, from the opening handshake to the closing frame."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from oddsengine.common.http import error_answer
from oddsengine.gateway.access.authentication import Unauthorised
from oddsengine.gateway.access.published_keys import KeysUnavailable
from oddsengine.gateway.fanout.lingering import is_lingering, wait_closed
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
from oddsengine.gateway.server.readiness import require_loaded
from oddsengine.gateway.server.websocket import Control, MessageSocket

if TYPE_CHECKING:
    from aiohttp import web

    from oddsengine.common.internal_errors import InternalErrors
    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.protocol.client_messages import ClientMessage
    from oddsengine.gateway.server.connections import Connections
    from oddsengine.gateway.server.timeouts import HandshakeTimeouts

#: Bad messages a session may send before it is closed.
MAX_BAD_MESSAGES: Final = 20
#: While more than this is unread by a client, its requests are not read either: their answers would pile up here.
_MAX_BACKLOG_BYTES: Final = 64 * 1024
_BACKLOG_POLL_S: Final = 0.1
#: How many channels a session may name in a second, subscribed to or refused. It is not read for as long as those that it
#: named take at this rate; a message with a few of them is covered by the limit on messages.
_CHANNELS_PER_S: Final = 2000
_FEW_CHANNELS: Final = 10


class _CloseSession(Exception):
    """Raised to close a session with a code and a reason."""

    def __init__(self, code: Close, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(code, reason)


class WebSocketEndpoint:
    """Serves WebSockets.

    Args:
        hub: opens sessions and handles their messages.
        admission: admits requests and tokens.
        handshakes: notified when a request has arrived.
        connections: tracks live sessions.
        errors: counts unexpected errors.
    """

    def __init__(
        self,
        hub: Hub,
        admission: Admission,
        handshakes: HandshakeTimeouts,
        connections: Connections,
        errors: InternalErrors,
    ) -> None:
        self._errors = errors
        self._hub = hub
        self._admission = admission
        self._handshakes = handshakes
        self._connections = connections

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one socket until it is closed."""
        # Plain try and finally: a context manager costs a kilobyte per socket.
        self._handshakes.complete(request)
        address: str | None = None
        session: Session | None = None
        session_id = self._hub.new_id()
        try:
            require_loaded(self._hub.replica)
            address = await self._admission.admit(request, session_id, is_handshake="Upgrade" in request.headers)
            access = await self._admission.authenticate_stream(request)
            socket = MessageSocket((PROTOCOL_JSON, PROTOCOL_MSGPACK), self._admission.limits.message_bytes)
            await socket.accept(request)
            transport = socket.transport
            if transport is None:
                return socket.response
            if is_lingering(transport):
                await wait_closed(transport)
                return socket.response
            encoding = MSGPACK if socket.protocol == PROTOCOL_MSGPACK else JSON
            session = self._hub.open(transport, access, encoding, socket.framing(text=encoding.is_text), session_id)
            self._connections.add(session)
            if access is not None and not await self._acquire_session(access, session_id):
                self._hub.end(session, Close.OVER_LIMIT, "too many sessions with this token")
            else:
                await self._message_loop(socket, session)
            await wait_closed(transport)
            return socket.response  # noqa: TRY300 - an `else` would not catch what it raises
        except Exception as problem:  # noqa: BLE001 - the one door for all of them
            if session is None:
                return error_answer(problem, request, self._errors)
            if not isinstance(problem, ConnectionError):  # else it has ended
                self._errors.note("/v1/stream", problem)
                self._hub.end(session, Close.INTERNAL, "internal error; it has been logged")
                await wait_closed(session.transport)
            return socket.response
        finally:
            if session is not None:
                self._connections.remove(session)
                if session.access is not None:
                    self._admission.release_session(session.access, session_id)
            if address is not None:
                self._admission.leave(address, session_id)

    async def _acquire_session(self, access: Access, session_id: str) -> bool:
        acquired = await self._admission.acquire_session(access, session_id)
        self._hub.counters.over_limit += not acquired
        return acquired

    async def _message_loop(self, socket: MessageSocket, session: Session) -> None:
        # One coroutine for all waits on the client: each further coroutine costs every socket a frame.
        try:
            if session.access is None:
                await self._await_authentication(socket, session)
            # Of a client that is gone, what it has sent is not read to the end: that may take minutes.
            while not socket.has_ended and session.is_open and not session.transport.is_closing():
                while session.backlog() > _MAX_BACKLOG_BYTES and not session.transport.is_closing():  # noqa: ASYNC110
                    await asyncio.sleep(_BACKLOG_POLL_S)
                # No local holds the message: each socket would keep its last one while it waits for the next.
                request = self._handle(session, socket.content(await socket.receive()))
                if isinstance(request, Authenticate):
                    await self._authenticate(session, request)
                elif request > _FEW_CHANNELS:
                    await asyncio.sleep(request / _CHANNELS_PER_S)
            await socket.finish()
        except _CloseSession as end:
            self._hub.end(session, end.code, end.reason)

    async def _await_authentication(self, socket: MessageSocket, session: Session) -> None:
        """Wait for a valid token as the first message."""
        request: ClientMessage | None = None
        try:
            async with asyncio.timeout(self._admission.authenticator.timeout_s):
                while request is None:
                    content = socket.content(await socket.receive())
                    if content is None:
                        await socket.finish()
                        raise _CloseSession(Close.UNAUTHORISED, "a token is required first")
                    request = self._decode(session, content)
                    if content is Control.FRAME:
                        self._count_bad_message(session)
        except TimeoutError:
            raise _CloseSession(Close.AUTH_TIMEOUT, "no token in time") from None
        if not isinstance(request, Authenticate):
            raise _CloseSession(Close.UNAUTHORISED, "a token is required first")
        await self._authenticate(session, request)

    async def _authenticate(self, session: Session, request: Authenticate) -> None:
        """Replace what a session may do by what a new token grants."""
        before = session.access
        try:
            access = await self._admission.authenticator.authenticate(request.token)
        except Unauthorised as problem:
            self._hub.refuse(session, ErrorCode.UNAUTHORISED, str(problem), request.id)
            raise _CloseSession(Close.UNAUTHORISED, "token rejected") from None
        except KeysUnavailable:
            text = "the identity provider does not answer: whether the token is valid is not known"
            self._hub.refuse(session, ErrorCode.NOT_READY, text, request.id)
            raise _CloseSession(Close.OVERLOADED, "try again later") from None
        if before is not None and session.subscriptions and before.profile != access.profile:
            self._hub.refuse(session, ErrorCode.FORBIDDEN, "a token with another profile requires a new session", request.id)
            raise _CloseSession(Close.FORBIDDEN, "another profile")
        if not await self._acquire_session(access, session.session_id):
            raise _CloseSession(Close.OVER_LIMIT, "too many sessions with this token")
        if before is not None and before.subject != access.subject:
            self._admission.release_session(before, session.session_id)
        self._hub.grant(session, access)
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
        if session.messages is not None and session.messages.take(asyncio.get_running_loop().time()):
            hub.counters.over_limit += 1
            raise _CloseSession(Close.OVER_LIMIT, "too many messages")
        if isinstance(content, Control):
            return None
        if isinstance(content, str) != session.encoding.is_text:
            hub.counters.bad_messages += 1
            raise _CloseSession(Close.BAD_MESSAGE, "messages must be JSON text, or MessagePack if negotiated as subprotocol")
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
            raise _CloseSession(Close.BAD_MESSAGE, "too many bad messages") from None
