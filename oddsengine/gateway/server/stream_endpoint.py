"""`GET /v1/stream` and `GET /v1/sse`: the WebSocket and the server-sent events end of a session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from aiohttp import web

from oddsengine.domain.formats import FORMATS
from oddsengine.gateway.access.admission import Refused
from oddsengine.gateway.access.authentication import Unauthorised
from oddsengine.gateway.protocol.client_messages import (
    PROTOCOL_JSON,
    PROTOCOL_MSGPACK,
    Authenticate,
    Subscribe,
    decode_client_message,
    decode_client_msgpack,
)
from oddsengine.gateway.protocol.codes import Close, ErrorCode, error
from oddsengine.gateway.protocol.encoders import JSON, MSGPACK
from oddsengine.gateway.protocol.framing import Framing
from oddsengine.gateway.server.disconnect_watcher import DisconnectWatcher
from oddsengine.gateway.server.error_answers import refusal
from oddsengine.gateway.server.websocket import Control, MessageSocket
from oddsengine.gateway.state.replica import UnknownChannel

if TYPE_CHECKING:
    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.protocol.client_messages import ClientMessage
    from oddsengine.gateway.server.listener import HandshakeTimeouts

#: A client that goes on sending rubbish is closed.
BAD_MESSAGES_ALLOWED: Final = 20
#: A client that does not take what is on its way to it is not read either: what it asks for would pile up here. It is looked
#: after again every so often.
_UNREAD_BYTES: Final = 64 * 1024
_LOOK_S: Final = 0.1
#: How long clients are given to take what is on its way to them when we drain.
_DRAIN_S: Final = 3.0
_log = structlog.get_logger(__name__)


class _End(Exception):
    """A session that has to be closed, with the code and the reason its client is told."""

    def __init__(self, code: Close, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(code, reason)


class StreamEndpoint:
    """Accepts sessions and feeds what they say to the hub.

    Args:
        hub: who is told what.
        door: who is let in.
        handshakes: is told who has said what it wants.
    """

    def __init__(self, hub: Hub, door: Admission, handshakes: HandshakeTimeouts) -> None:
        self._hub = hub
        self._handshakes = handshakes
        self._door = door
        self._sockets: dict[Session, MessageSocket | None] = {}
        self._departures = DisconnectWatcher()
        self.draining = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one socket until it is closed."""
        # Plain try and finally: a context manager a socket is a kilobyte a socket.
        self._handshakes.done(request)
        address: str | None = None
        session: Session | None = None
        session_id = self._hub.new_id()
        try:
            address = await self._door.admit(request, session_id)
            access = await self._door.access(request)
            socket = MessageSocket((PROTOCOL_JSON, PROTOCOL_MSGPACK), self._door.limits.message_bytes)
            await socket.accept(request)
            transport = socket.transport
            if transport is None:
                return socket.response
            encoding = MSGPACK if socket.protocol == PROTOCOL_MSGPACK else JSON
            session = self._hub.open(transport, access, encoding, socket.framing(text=encoding.is_text), session_id)
            self._sockets[session] = socket
            if access is not None and not await self._fits(access, session_id):
                await socket.close(Close.OVER_LIMIT, "too many sessions with this token")
            else:
                await self._message_loop(socket, session)
            return socket.response  # noqa: TRY300 - an `else` would let what it raises through
        except (Refused, web.HTTPException) as problem:
            return refusal(problem)
        finally:
            if session is not None:
                self._end(session)
                if session.access is not None:
                    self._door.release(session.access, session_id)
            if address is not None:
                self._door.leave(address, session_id)

    async def handle_events(self, request: web.Request) -> web.StreamResponse:
        """Serve one channel as server-sent events until the client goes away."""
        session_id = self._hub.new_id()
        address = await self._door.admit(request, session_id)
        try:
            access = await self._door.access(request)
            if access is None:
                return error(401, ErrorCode.UNAUTHORISED, "a token is needed", {"WWW-Authenticate": "Bearer"})
            subscribe = self._granted(request, access)
            if isinstance(subscribe, web.Response):
                return subscribe
            if not await self._fits(access, session_id):
                return error(429, ErrorCode.OVER_LIMIT, "too many sessions with this token", {"Retry-After": "5"})
            try:
                return await self._tell_events(request, access, subscribe, session_id)
            finally:
                self._door.release(access, session_id)
        finally:
            self._door.leave(address, session_id)

    def _granted(self, request: web.Request, access: Access) -> Subscribe | web.Response:
        """Read what is asked for, if it is on offer and granted."""
        subscribe = _subscription(request)
        if isinstance(subscribe, web.Response):
            return subscribe
        (name,) = subscribe.channels
        if not access.may_subscribe(name):
            return error(403, ErrorCode.FORBIDDEN, f"{name!r} is not granted")
        try:
            self._hub.replica.channel(name)
        except UnknownChannel as unknown:
            return error(404, ErrorCode.UNKNOWN_CHANNEL, str(unknown))
        return subscribe

    async def _tell_events(
        self, request: web.Request, access: Access, subscribe: Subscribe, session_id: str
    ) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        )
        # Events are written past the response, each ready made as a chunk of its body.
        response.enable_chunked_encoding()
        await response.prepare(request)
        transport = request.transport
        if transport is None:
            return response
        session = self._hub.open(transport, access, JSON, Framing(are_events=True), session_id)
        self._sockets[session] = None
        try:
            self._hub.handle(session, subscribe)
            await self._departures.of(transport)
        finally:
            self._end(session)
        return response

    def _end(self, session: Session) -> None:
        del self._sockets[session]
        self._hub.close(session)

    async def _fits(self, access: Access, session_id: str) -> bool:
        fits = await self._door.fits(access, session_id)
        self._hub.counters.over_limit += not fits
        return fits

    async def _message_loop(self, socket: MessageSocket, session: Session) -> None:
        # All in one coroutine, as far as it waits for the client: each has a frame, and each socket has them all.
        try:
            if session.access is None:
                await self._await_authentication(socket, session)
            while not socket.has_ended:
                while session.backlog() > _UNREAD_BYTES and not session.transport.is_closing():  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_S)
                # No message has a name here: each socket would keep its last one while it waits for the next.
                authenticate = self._handle(session, socket.content(await socket.receive()))
                if authenticate is not None:
                    await self._reintroduced(session, authenticate)
            await socket.finish()
        except _End as end:
            if end.code in {Close.OVER_LIMIT, Close.BAD_MESSAGE}:
                await socket.cut_off(end.code, end.reason)
            else:
                await socket.close(end.code, end.reason)

    async def _await_authentication(self, socket: MessageSocket, session: Session) -> None:
        """Wait for a good token as the first message."""
        request: ClientMessage | None = None
        try:
            async with asyncio.timeout(self._door.authenticator.timeout_s):
                while request is None:
                    content = socket.content(await socket.receive())
                    if content is None:
                        await socket.finish()
                        raise _End(Close.UNAUTHORISED, "a token is needed first")
                    request = self._request(session, content)
                    if content is Control.FRAME:
                        self._count_bad_message(session)
        except TimeoutError:
            raise _End(Close.AUTH_TIMEOUT, "no token in time") from None
        if not isinstance(request, Authenticate):
            raise _End(Close.UNAUTHORISED, "a token is needed first")
        await self._reintroduced(session, request)

    async def _reintroduced(self, session: Session, request: Authenticate) -> None:
        before = session.access
        try:
            access = await self._door.authenticator.access(request.token)
        except Unauthorised as problem:
            self._hub.refuse(session, ErrorCode.UNAUTHORISED, str(problem), request.id)
            raise _End(Close.UNAUTHORISED, "token refused") from None
        if before is not None and session.subscriptions and before.profile != access.profile:
            self._hub.refuse(session, ErrorCode.FORBIDDEN, "another profile needs another session", request.id)
            raise _End(Close.FORBIDDEN, "another profile")
        if not await self._fits(access, session.session_id):
            raise _End(Close.OVER_LIMIT, "too many sessions with this token")
        if before is not None and before.subject != access.subject:
            self._door.release(before, session.session_id)
        self._hub.grant(session, access)
        self._hub.authenticated(session, request.id)

    def _handle(self, session: Session, content: str | bytes | Control | None) -> Authenticate | None:
        """Do what a message asks for; give back a token, which takes time to check."""
        request = None if content is None else self._request(session, content)
        if isinstance(request, Authenticate):
            return request
        if request is not None:
            self._hub.handle(session, request)
        return None

    def _request(self, session: Session, content: str | bytes | Control) -> ClientMessage | None:
        """Read one message; None if it is none, which the client is told where it should be one."""
        hub = self._hub
        if session.messages is not None and session.messages.take(asyncio.get_running_loop().time()):
            hub.counters.over_limit += 1
            raise _End(Close.OVER_LIMIT, "too many messages")
        if isinstance(content, Control):
            return None
        if isinstance(content, str) != session.encoding.is_text:
            hub.counters.bad_messages += 1
            raise _End(Close.BAD_MESSAGE, "messages are JSON text, or MessagePack by subprotocol")
        try:
            request: ClientMessage = (
                decode_client_message(content) if isinstance(content, str) else decode_client_msgpack(content)
            )
        except (msgspec.DecodeError, UnicodeEncodeError) as problem:
            hub.counters.bad_messages += 1
            hub.refuse(session, ErrorCode.BAD_MESSAGE, str(problem))
            self._count_bad_message(session)
            return None
        return request

    @staticmethod
    def _count_bad_message(session: Session) -> None:
        """Let one bad message pass, but not too many of them."""
        session.bad_messages += 1
        if session.bad_messages > BAD_MESSAGES_ALLOWED:
            raise _End(Close.BAD_MESSAGE, "too many bad messages") from None

    async def drain(self, *, spread_ms: int = 2000) -> None:
        """Say goodbye to every session, each with its own time to come back, and close them with 1012.

        Args:
            spread_ms: the span over which clients are told to reconnect, so that they do not come all at once.
        """
        self.draining = True
        sessions = list(self._sockets.items())
        for number, (session, _) in enumerate(sessions):
            self._hub.send_goaway(session, "drain", 200 + spread_ms * number // max(len(sessions), 1))
        await self._until_taken([session for session, _ in sessions])
        for session, socket in sessions:
            if socket is None:
                session.end(Close.DRAINING, "drain")
        await asyncio.gather(
            *(socket.close(Close.DRAINING, "drain") for _, socket in sessions if socket is not None), return_exceptions=True
        )
        if sessions:
            _log.info("drained", sessions=len(sessions))

    async def _until_taken(self, sessions: list[Session]) -> None:
        """Wait until clients have read what is on its way to them, but not for ever."""
        try:
            async with asyncio.timeout(_DRAIN_S):
                while any(session.backlog() for session in sessions if not session.transport.is_closing()):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pass  # those that do not read are cut off


def _subscription(request: web.Request) -> Subscribe | web.Response:
    """Read what `/v1/sse` was asked for."""
    unknown = request.query.keys() - {"channel", "format", "min_interval_ms"}
    channels = request.query.getall("channel", [])
    if unknown or len(channels) != 1:
        text = f"unknown parameter {min(unknown)!r}" if unknown else "give one channel"
        return error(400, ErrorCode.BAD_REQUEST, f"{text}; the parameters are channel, format and min_interval_ms")
    given = {"channels": channels, "resume": request.headers.get("Last-Event-ID"), **request.query}
    given.pop("channel")
    try:
        subscribe = msgspec.convert(given, Subscribe, strict=False)
    except msgspec.ValidationError as problem:
        return error(400, ErrorCode.BAD_REQUEST, str(problem))
    if subscribe.format not in FORMATS:
        text = f"no format {subscribe.format!r}; the formats are {', '.join(FORMATS)}"
        return error(400, ErrorCode.UNSUPPORTED_FORMAT, text)
    return subscribe
