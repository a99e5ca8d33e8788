"""`GET /v1/stream` and `GET /v1/sse`: the WebSocket and the server-sent events end of a session."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
import structlog
from aiohttp import web

from oddsengine.gateway.auth import Unauthorised
from oddsengine.gateway.codes import Close, ErrorCode, error
from oddsengine.gateway.encode import JSON, MSGPACK
from oddsengine.gateway.framing import Framing
from oddsengine.gateway.messages import (
    PROTOCOL_JSON,
    PROTOCOL_MSGPACK,
    Authenticate,
    Subscribe,
    decode_client_message,
    decode_client_msgpack,
)
from oddsengine.gateway.replica import UnknownChannel
from oddsengine.gateway.socket import MessageSocket
from oddsengine.markets.formats import FORMATS

if TYPE_CHECKING:
    from oddsengine.gateway.access import Access
    from oddsengine.gateway.door import Door
    from oddsengine.gateway.hub import Hub
    from oddsengine.gateway.messages import ClientMessage
    from oddsengine.gateway.session import Session

#: A client that goes on sending rubbish is closed.
BAD_MESSAGES_ALLOWED: Final = 20
#: How long clients are given to take what is on its way to them when we drain.
_DRAIN_S: Final = 3.0
_log = structlog.get_logger(__name__)


class StreamEndpoint:
    """Accepts sessions and feeds what they say to the hub.

    Args:
        hub: who is told what.
        door: who is let in.
    """

    def __init__(self, hub: Hub, door: Door) -> None:
        self._hub = hub
        self._door = door
        self._sockets: dict[Session, MessageSocket | None] = {}
        self.draining = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one socket until it is closed."""
        # Plain try and finally: a context manager a socket is a kilobyte a socket.
        address = self._door.admit(request)
        session: Session | None = None
        try:
            access = await self._door.access(request)
            socket = MessageSocket((PROTOCOL_JSON, PROTOCOL_MSGPACK), self._door.limits.message_bytes)
            await socket.accept(request)
            transport = socket.transport
            if transport is None:
                return socket.response
            encoding = MSGPACK if socket.protocol == PROTOCOL_MSGPACK else JSON
            session = self._hub.open(transport, access, encoding, socket.framing(text=encoding.is_text))
            self._sockets[session] = socket
            if access is not None and not self._fits(session, access):
                await socket.close(Close.OVER_LIMIT, "too many sessions with this token")
            else:
                await self._converse(socket, session)
            return socket.response
        finally:
            self._end(address, session)

    async def handle_events(self, request: web.Request) -> web.StreamResponse:
        """Serve one channel as server-sent events until the client goes away."""
        access = await self._door.access(request)
        if access is None:
            return error(401, ErrorCode.UNAUTHORISED, "a token is needed", {"WWW-Authenticate": "Bearer"})
        subscribe = _subscription(request)
        if isinstance(subscribe, web.Response):
            return subscribe
        (name,) = subscribe.channels
        if not access.may_hear(name):
            return error(403, ErrorCode.FORBIDDEN, f"{name!r} is not granted")
        try:
            self._hub.replica.channel(name)
        except UnknownChannel as unknown:
            return error(404, ErrorCode.UNKNOWN_CHANNEL, str(unknown))
        address = self._door.admit(request)
        session: Session | None = None
        try:
            response = web.StreamResponse(
                headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
            )
            # Events are written past the response, each ready made as a chunk of its body.
            response.enable_chunked_encoding()
            await response.prepare(request)
            transport = request.transport
            if transport is None:
                return response
            session = self._hub.open(transport, access, JSON, Framing(are_events=True))
            self._sockets[session] = None
            self._hub.handle(session, subscribe)
            while not transport.is_closing():  # noqa: ASYNC110 - a transport tells nobody that it closes
                await asyncio.sleep(0.25)
            return response
        finally:
            self._end(address, session)

    def _end(self, address: str, session: Session | None) -> None:
        self._door.leave(address)
        if session is not None:
            self._sockets.pop(session, None)
            self._hub.close(session)

    def _fits(self, session: Session, access: Access) -> bool:
        most = access.limits.sessions
        fits = not most or self._hub.sessions_of(access.subject) - (session.access is access) < most
        self._hub.counters.over_limit += not fits
        return fits

    async def _converse(self, socket: MessageSocket, session: Session) -> None:
        if session.access is None and not await self._introduced(socket, session):
            return
        hub = self._hub
        loop = asyncio.get_running_loop()
        while (request := await self._request(socket, session)) is not None:
            if session.messages is not None and session.messages.take(loop.time()):
                hub.counters.over_limit += 1
                await socket.close(Close.OVER_LIMIT, "too many messages")
                return
            if isinstance(request, Authenticate):
                if not await self._reintroduced(socket, session, request):
                    return
            else:
                hub.handle(session, request)

    async def _introduced(self, socket: MessageSocket, session: Session) -> bool:
        """Wait for a good token as the first message; else say why not and close."""
        try:
            async with asyncio.timeout(self._door.authenticator.timeout_s):
                request = await self._request(socket, session)
        except TimeoutError:
            await socket.close(Close.AUTH_TIMEOUT, "no token in time")
            return False
        if request is None:
            return False
        if not isinstance(request, Authenticate):
            await socket.close(Close.UNAUTHORISED, "a token is needed first")
            return False
        return await self._reintroduced(socket, session, request)

    async def _reintroduced(self, socket: MessageSocket, session: Session, request: Authenticate) -> bool:
        before = session.access
        try:
            access = await self._door.authenticator.access(request.token)
        except Unauthorised as problem:
            self._hub.refuse(session, ErrorCode.UNAUTHORISED, str(problem), request.id)
            await socket.close(Close.UNAUTHORISED, "token refused")
            return False
        if before is not None and session.subscriptions and before.profile != access.profile:
            self._hub.refuse(session, ErrorCode.FORBIDDEN, "another profile needs another session", request.id)
            await socket.close(Close.FORBIDDEN, "another profile")
            return False
        if not self._fits(session, access):
            await socket.close(Close.OVER_LIMIT, "too many sessions with this token")
            return False
        self._hub.grant(session, access)
        self._hub.authenticated(session, request.id)
        return True

    async def _request(self, socket: MessageSocket, session: Session) -> ClientMessage | None:
        """Read on to the next message that is one; None once the socket is closed."""
        hub = self._hub
        while (received := await socket.receive()) is not None:
            if isinstance(received, str) != session.encoding.is_text:
                hub.counters.bad_messages += 1
                await socket.close(Close.BAD_MESSAGE, "messages are JSON text, or MessagePack by subprotocol")
                return None
            try:
                request: ClientMessage = (
                    decode_client_message(received) if isinstance(received, str) else decode_client_msgpack(received)
                )
            except (msgspec.DecodeError, UnicodeEncodeError) as problem:
                hub.counters.bad_messages += 1
                session.bad_messages += 1
                hub.refuse(session, ErrorCode.BAD_MESSAGE, str(problem))
                if session.bad_messages > BAD_MESSAGES_ALLOWED:
                    await socket.close(Close.BAD_MESSAGE, "too many bad messages")
                    return None
            else:
                return request
        return None

    async def drain(self, *, spread_ms: int = 2000) -> None:
        """Say goodbye to every session, each with its own time to come back, and close them with 1012.

        Args:
            spread_ms: the span over which clients are told to reconnect, so that they do not come all at once.
        """
        self.draining = True
        sessions = list(self._sockets.items())
        for number, (session, _) in enumerate(sessions):
            self._hub.farewell(session, "drain", 200 + spread_ms * number // max(len(sessions), 1))
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
                while any(session.backlog_bytes for session in sessions if not session.transport.is_closing()):  # noqa: ASYNC110
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
