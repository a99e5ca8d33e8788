"""The live sessions of both endpoints, and draining them before the gateway stops."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.gateway.fanout.lingering import wait_closed
from oddsengine.gateway.protocol.codes import Close

if TYPE_CHECKING:
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.hub.hub import Hub

#: How long clients get to read what is written to them before a drain closes their sockets.
_DRAIN_TIMEOUT_S: Final = 3.0
#: The shortest time a drained client is asked to wait before it reconnects.
_MIN_RECONNECT_MS: Final = 200
_log = structlog.get_logger(__name__)


class Connections:
    """Tracks live sessions.

    Args:
        hub: where the sessions are open.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._sessions: dict[Session, None] = {}
        self.draining = False

    def add(self, session: Session) -> None:
        """Track a session that the hub has opened."""
        self._sessions[session] = None

    def remove(self, session: Session) -> None:
        """Stop tracking a session and close it in the hub."""
        del self._sessions[session]
        self._hub.close(session)

    async def drain(self, *, spread_ms: int = 2000) -> None:
        """Send every session a goaway and close it with code 1012. Each is given its own time to reconnect.

        Args:
            spread_ms: the span over which clients reconnect, so that they do not all come back at once.
        """
        self.draining = True
        sessions = list(self._sessions)
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
