"""Sessions over WebSockets in one dialect, from the opening handshake to the closing frame."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from oddsengine.common.http import error_answer
from oddsengine.gateway.dialects.dialect import BACKLOG_POLL_S, MAX_BACKLOG_BYTES, CloseSession, Dialect, SessionAccess
from oddsengine.gateway.protocol.codes import Close
from oddsengine.gateway.server.http_connection import HttpConnection
from oddsengine.gateway.server.readiness import require_loaded
from oddsengine.gateway.server.sockets.connection import SocketConnection
from oddsengine.gateway.server.sockets.handshake import Switched, Upgrade, accept

if TYPE_CHECKING:
    from aiohttp import web

    from oddsengine.common.internal_errors import InternalErrors
    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.server.connections import Connections
    from oddsengine.gateway.server.sockets.connection import Content, Wait
    from oddsengine.gateway.server.timeouts import HandshakeTimeouts


class WebSocketEndpoint:
    """Serves WebSockets.

    Args:
        hub: where sessions are open.
        admission: admits requests.
        handshakes: notified when a request has arrived.
        connections: tracks live sessions.
        errors: counts unexpected errors.
        dialect: what is spoken.
        sessions: gives them what tokens grant.
    """

    def __init__(
        self,
        hub: Hub,
        admission: Admission,
        handshakes: HandshakeTimeouts,
        connections: Connections,
        errors: InternalErrors,
        dialect: Dialect,
        sessions: SessionAccess,
    ) -> None:
        self.hub = hub
        self.dialect = dialect
        self._errors = errors
        self._admission = admission
        self._handshakes = handshakes
        self._connections = connections
        self._sessions = sessions

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a handshake that its connection has left to aiohttp, or that it was refused here already."""
        http = request.protocol
        try:
            if isinstance(http, HttpConnection):
                http.raise_refusal()
            await self.open(request)
        except Exception as problem:  # noqa: BLE001 - the one door for all of them
            return error_answer(problem, request, self._errors)
        return Switched()

    async def open(self, request: web.BaseRequest) -> None:
        """Complete the handshake of a socket, and hand its connection over to a session. Raises RequestRejected if refused."""
        self._handshakes.complete(request)
        session_id = self.hub.new_id()
        address: str | None = None
        try:
            self._connections.require_open()
            require_loaded(self.hub.replica)
            address = await self._admission.admit(request, session_id, is_handshake="Upgrade" in request.headers)
            access = await self._admission.authenticate_stream(request)
            upgrade = accept(request, self.dialect.subprotocols)
            if request.transport is not None:
                # From here on `_SocketSession` keeps count of the session.
                left, address = address, None
                await self._hand_over(request, upgrade, access, session_id, left)
        finally:
            if address is not None:
                self._admission.leave(address, session_id)

    async def _hand_over(
        self, request: web.BaseRequest, upgrade: Upgrade, access: Access | None, session_id: str, address: str
    ) -> None:
        """Open a session, and leave the connection to it."""
        http, transport = request.protocol, request.transport
        assert isinstance(http, HttpConnection)  # noqa: S101 - the listener makes no others
        assert transport is not None  # noqa: S101 - the caller has checked it
        max_bytes = self._admission.limits.message_bytes
        connection = SocketConnection(http, transport, max_bytes, is_compressed=upgrade.deflate_bits > 0)
        session = self.dialect.open(upgrade, transport, access, session_id)
        socket_session = _SocketSession(self, session, connection, address)
        self._connections.add(session, self.dialect.path, address, connection)
        connection.set_listener(socket_session)
        http.hand_over(connection)
        if self._connections.dismiss_if_closing(session):
            return
        if access is not None and not await self._sessions.acquire(access, session_id):
            self.hub.end(session, Close.OVER_LIMIT, "too many sessions with this token")
        else:
            socket_session.begin()

    @property
    def timeout_s(self) -> float:
        """The time that a socket may take to authenticate."""
        return self._sessions.timeout_s

    def failed(self, session: Session, problem: Exception) -> None:
        """Close a session because of an error that nothing expected."""
        if not isinstance(problem, ConnectionError):  # else it has ended
            self._errors.note(self.dialect.path, problem)
            self.hub.end(session, Close.INTERNAL, "internal error; it has been logged")

    def lost(self, session: Session, address: str) -> None:
        """Stop counting a session whose connection has ended."""
        self.dialect.session_ended(session)
        self._connections.remove(session)
        if session.access is not None:
            self._admission.release_session(session.access, session.session_id)
        self._admission.leave(address, session.session_id)


class _SocketSession:
    """Hands what a session's client sends to the endpoint's dialect."""

    __slots__ = ("_address", "_connection", "_endpoint", "_is_late", "_session", "_timer")

    def __init__(self, endpoint: WebSocketEndpoint, session: Session, connection: SocketConnection, address: str) -> None:
        self._endpoint = endpoint
        self._session = session
        self._connection = connection
        self._address = address
        #: ends the time to authenticate; None if that is done, or if the time is over
        self._timer: asyncio.TimerHandle | None = None
        #: whether the time has ended while something was awaited
        self._is_late = False

    def begin(self) -> None:
        """Handle what the client sends. It has to authenticate in time."""
        if not self._endpoint.dialect.is_authenticated(self._session):
            self._timer = asyncio.get_running_loop().call_later(self._endpoint.timeout_s, self._time_out)
        self._connection.begin()

    def received(self, content: Content) -> Wait | None:
        """Handle a message, once the client has read enough of what it was sent: the answers would pile up here."""
        if self._session.backlog() > MAX_BACKLOG_BYTES:
            return partial(self._handle_once_read, content)
        return self._handle(content)

    def ended(self) -> None:
        """Write nothing more to the session."""
        self._endpoint.hub.close(self._session)

    def failed(self, problem: Exception) -> None:
        """Close the session because of an error that nothing expected."""
        self._endpoint.failed(self._session, problem)

    def lost(self) -> None:
        """Stop counting the session."""
        self._stop_timer()
        self._endpoint.lost(self._session, self._address)

    def _handle(self, content: Content) -> Wait | None:
        session, dialect = self._session, self._endpoint.dialect
        try:
            wait = dialect.receive(session, content)
        except CloseSession as end:
            self._endpoint.hub.end(session, end.code, end.reason)
            return None
        if wait is not None:
            return partial(self._await, wait)
        if self._timer is not None and dialect.is_authenticated(session):
            self._stop_timer()
        return None

    async def _handle_once_read(self, content: Content) -> None:
        session = self._session
        while session.backlog() > MAX_BACKLOG_BYTES and not session.transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(BACKLOG_POLL_S)
        # Of a client that is gone, what it has sent is not read to the end: that may take minutes.
        if session.is_open and not session.transport.is_closing() and (wait := self._handle(content)) is not None:
            await wait()

    async def _await(self, wait: Wait) -> None:
        session = self._session
        try:
            await wait()
        except CloseSession as end:
            self._endpoint.hub.end(session, end.code, end.reason)
        if self._endpoint.dialect.is_authenticated(session):
            self._stop_timer()
        elif self._is_late:
            self._time_out()

    def _time_out(self) -> None:
        """Close the session, which has not authenticated in time, unless that is in progress."""
        self._timer = None
        self._is_late = self._connection.is_waiting and not self._is_late
        if not self._is_late:
            self._endpoint.hub.end(self._session, Close.AUTH_TIMEOUT, self._endpoint.dialect.timeout_reason)

    def _stop_timer(self) -> None:
        self._is_late = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
