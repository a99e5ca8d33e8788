"""The interface of a protocol to a socket's endpoint, and what protocols share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from oddsengine.gateway.protocol.codes import Close

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.server.sockets.connection import Content, Wait
    from oddsengine.gateway.server.sockets.handshake import Upgrade

#: While more than this is unread by a client, its requests are not read either: their answers would pile up here.
MAX_BACKLOG_BYTES = 64 * 1024
BACKLOG_POLL_S = 0.1


class CloseSession(Exception):
    """Raised to close a session with a code and a reason."""

    def __init__(self, code: Close | int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(code, reason)


class Dialect(Protocol):
    """A protocol over WebSockets."""

    @property
    def path(self) -> str:
        """The path at which it is served."""
        ...

    @property
    def subprotocols(self) -> Sequence[str]:
        """The supported subprotocols, the preferred one first."""
        ...

    @property
    def timeout_reason(self) -> str:
        """The reason for closing a session that has not authenticated in time."""
        ...

    def open(self, upgrade: Upgrade, transport: asyncio.Transport, access: Access | None, session_id: str) -> Session:
        """Write the answer to the handshake, and open a session in the hub. Without access it has to authenticate first."""
        ...

    def is_authenticated(self, session: Session) -> bool:
        """Check whether a session has authenticated, or sent the command by which it does."""
        ...

    def receive(self, session: Session, content: Content) -> Wait | None:
        """Handle a message. Return what must be awaited before the next one. Both raise CloseSession."""
        ...

    def session_ended(self, session: Session) -> None:
        """Release what a session has of the dialect."""
        ...


class SessionAccess:
    """Applies what tokens grant to sessions.

    Args:
        hub: where the sessions are open.
        admission: admits tokens.
    """

    def __init__(self, hub: Hub, admission: Admission) -> None:
        self._hub = hub
        self._admission = admission

    @property
    def timeout_s(self) -> float:
        """The time that a socket may take to authenticate."""
        return self._admission.authenticator.timeout_s

    async def acquire(self, access: Access, session_id: str) -> bool:
        """Count a session against its token's limit. Return False if the limit is reached."""
        acquired = await self._admission.acquire_session(access, session_id)
        self._hub.counters.over_limit += not acquired
        return acquired

    async def replace(self, session: Session, token: str) -> None:
        """Replace what a session may do by what a token grants.

        Raises:
            Unauthorised: if it is not valid.
            KeysUnavailable: if that can't be decided now.
            CloseSession: if it can't be used for this session.
        """
        before = session.access
        access = await self._admission.authenticator.authenticate(token)
        if before is not None and session.subscriptions and before.profile != access.profile:
            raise CloseSession(Close.FORBIDDEN, "a token with another profile requires a new session")
        if not await self.acquire(access, session.session_id):
            raise CloseSession(Close.OVER_LIMIT, "too many sessions with this token")
        if before is not None and before.subject != access.subject:
            self._admission.release_session(before, session.session_id)
        self._hub.grant(session, access)


def count_message(hub: Hub, session: Session, now_s: float) -> None:
    """Count a message, or control frame, of a client. Raises CloseSession if it is over its limit."""
    if session.messages is not None and session.messages.take(now_s):
        hub.counters.over_limit += 1
        raise CloseSession(Close.OVER_LIMIT, "too many messages")
