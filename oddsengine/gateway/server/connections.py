"""The live sessions of both endpoints, and draining them before the gateway stops."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import structlog

from oddsengine.common.http import RequestRejected, error
from oddsengine.gateway.fanout.lingering import wait_closed
from oddsengine.gateway.protocol.codes import Close, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.hub.hub import Hub

#: How long clients get to read what is written to them before a drain closes their sockets.
_DRAIN_TIMEOUT_S: Final = 3.0
#: The default of `gateway.drain_spread_s`.
DRAIN_SPREAD_S: Final = 2.0
#: The shortest time a drained client is asked to wait before it reconnects.
_MIN_RECONNECT_MS: Final = 200
_log = structlog.get_logger(__name__)


class Opened(NamedTuple):
    """The opening of a session.

    Attributes:
        path: the path of its endpoint.
        address: the client's.
        since_s: when, monotonic seconds.
        connection: the connection that carries it.
    """

    path: str
    address: str
    since_s: float
    connection: object

    @property
    def sent_bytes(self) -> int | None:
        """Return how many bytes its client has acknowledged; None if that is not known."""
        return getattr(self.connection, "sent_bytes", None)


class SessionObserver(Protocol):
    """Receives sessions that have ended."""

    logs: bool

    def session_ended(self, session: Session, opened: Opened, now_s: float) -> None:
        """Log a session that has ended."""
        ...


class Connections:
    """Tracks live sessions.

    Args:
        hub: where the sessions are open.
        clock: monotonic seconds.
    """

    def __init__(self, hub: Hub, clock: Callable[[], float] = time.monotonic) -> None:
        self._hub = hub
        self._clock = clock
        #: how each was opened, if that is to be logged when it ends
        self._sessions: dict[Session, Opened | None] = {}
        #: is told of sessions that have ended; None for nobody
        self.observer: SessionObserver | None = None
        #: whether this gateway is about to stop: it is not ready, but serves until it is drained
        self.draining = False
        self._is_closing = False
        #: the span over which the clients of a drain reconnect
        self.spread_s = DRAIN_SPREAD_S
        #: for how long it serves on, unready, before it is drained
        self.delay_s = 0.0

    def add(self, session: Session, path: str = "", address: str = "", connection: object = None) -> None:
        """Track a session that the hub has opened; see `Opened`."""
        is_logged = self.observer is not None and self.observer.logs
        self._sessions[session] = Opened(path, address, self._clock(), connection) if is_logged else None

    def dismiss_if_closing(self, session: Session) -> bool:
        """Close a session whose handshake began before a drain. Return False if nothing is being drained."""
        if self._is_closing:
            self._hub.send_goaway(session, "drain", _MIN_RECONNECT_MS)
            self._hub.end(session, Close.DRAINING, "drain")
        return self._is_closing

    def require_open(self) -> None:
        """Raise RequestRejected if no session can be opened any more: the next gateway can, if a proxy asks it."""
        if self._is_closing:
            raise RequestRejected(error(503, ErrorCode.NOT_READY, "draining", {"Retry-After": "1"}))

    def remove(self, session: Session) -> None:
        """Stop tracking a session and close it in the hub."""
        opened = self._sessions.pop(session)
        self._hub.close(session)
        if opened is not None and self.observer is not None:
            self.observer.session_ended(session, opened, self._clock())

    async def drain(self) -> None:
        """Send every session a goaway and close it with code 1012. Each is given its own time to reconnect."""
        self.draining = self._is_closing = True
        sessions, spread_ms = list(self._sessions), round(1000 * self.spread_s)
        for number, session in enumerate(sessions):
            self._hub.send_goaway(session, "drain", _MIN_RECONNECT_MS + spread_ms * number // max(len(sessions), 1))
        await self._wait_written(sessions)
        for session in sessions:
            self._hub.end(session, Close.DRAINING, "drain")
        await asyncio.gather(*(wait_closed(session.transport) for session in sessions))
        if sessions:
            _log.info("drained", sessions=len(sessions))

    async def _wait_written(self, sessions: list[Session]) -> None:
        """Wait until clients have read what was written to them, for up to the drain timeout."""
        try:
            async with asyncio.timeout(_DRAIN_TIMEOUT_S):
                while any(session.backlog() for session in sessions if not session.transport.is_closing()):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pass  # clients that do not read are closed all the same
