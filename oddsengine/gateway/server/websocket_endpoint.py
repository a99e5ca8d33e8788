"""Sessions over WebSockets in one dialect, from the opening handshake to the closing frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.common.http import error_answer
from oddsengine.gateway.dialects.dialect import CloseSession, Dialect, SessionAccess
from oddsengine.gateway.fanout.lingering import is_lingering, wait_closed
from oddsengine.gateway.protocol.codes import Close
from oddsengine.gateway.server.readiness import require_loaded
from oddsengine.gateway.server.websocket import MessageSocket

if TYPE_CHECKING:
    from aiohttp import web

    from oddsengine.common.internal_errors import InternalErrors
    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.server.connections import Connections
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
        self._errors = errors
        self._hub = hub
        self._admission = admission
        self._handshakes = handshakes
        self._connections = connections
        self._dialect = dialect
        self._sessions = sessions

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
            socket = MessageSocket(self._dialect.subprotocols, self._admission.limits.message_bytes)
            await socket.accept(request)
            transport = socket.transport
            if transport is None:
                return socket.response
            if is_lingering(transport):
                await wait_closed(transport)
                return socket.response
            session = self._dialect.open(socket, transport, access, session_id)
            self._connections.add(session, self._dialect.path, address, request.protocol)
            if access is not None and not await self._sessions.acquire(access, session_id):
                self._hub.end(session, Close.OVER_LIMIT, "too many sessions with this token")
            else:
                try:
                    await self._dialect.converse(socket, session)
                except CloseSession as end:
                    self._hub.end(session, end.code, end.reason)
            await wait_closed(transport)
            return socket.response  # noqa: TRY300 - an `else` would not catch what it raises
        except Exception as problem:  # noqa: BLE001 - the one door for all of them
            if session is None:
                return error_answer(problem, request, self._errors)
            if not isinstance(problem, ConnectionError):  # else it has ended
                self._errors.note(self._dialect.path, problem)
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
