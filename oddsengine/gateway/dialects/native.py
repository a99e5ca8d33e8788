"""`odds.v1` over a socket: its messages, from authentication to the last one."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from oddsengine.gateway.access.authentication import Unauthorised
from oddsengine.gateway.access.published_keys import KeysUnavailable
from oddsengine.gateway.dialects.dialect import CloseSession, SessionAccess, count_message
from oddsengine.gateway.fanout.session import Session
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
from oddsengine.gateway.server.sockets.connection import Control

if TYPE_CHECKING:
    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.protocol.client_messages import ClientMessage
    from oddsengine.gateway.server.sockets.connection import Content, Wait
    from oddsengine.gateway.server.sockets.handshake import Upgrade

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
    timeout_reason: Final = "no token in time"

    def __init__(self, hub: Hub, sessions: SessionAccess) -> None:
        self._hub = hub
        self._sessions = sessions

    def open(self, upgrade: Upgrade, transport: asyncio.Transport, access: Access | None, session_id: str) -> Session:
        """Open a session in the hub."""
        encoding = MSGPACK if upgrade.protocol == PROTOCOL_MSGPACK else JSON
        session = Session(session_id, transport, encoding, upgrade.framing(text=encoding.is_text))
        corked = session.cork(upgrade.head)
        self._hub.add(session, access)
        session.uncork(corked)
        return session

    def is_authenticated(self, session: Session) -> bool:
        """Check whether a session is authenticated."""
        return session.access is not None

    def session_ended(self, session: Session) -> None:
        """Release nothing."""

    def receive(self, session: Session, content: Content) -> Wait | None:
        """Handle a message. Return what must be awaited before the next one. Both raise CloseSession."""
        request = self._decode(session, content)
        if session.access is None:
            return self._handle_unauthenticated(session, content, request)
        if isinstance(request, Authenticate):
            return partial(self._authenticate, session, request)
        if request is None:
            return None
        self._hub.handle(session, request)
        named = len(request.channels) if isinstance(request, Subscribe | Unsubscribe) else 0
        return partial(asyncio.sleep, named / _CHANNELS_PER_S) if named > _FEW_CHANNELS else None

    def _handle_unauthenticated(self, session: Session, content: Content, request: ClientMessage | None) -> Wait | None:
        """Handle what comes before a valid token: only bad messages may, and control frames count as such."""
        if isinstance(request, Authenticate):
            return partial(self._authenticate, session, request)
        if request is not None:
            raise CloseSession(Close.UNAUTHORISED, "a token is required first")
        if content is Control.FRAME:
            self._count_bad_message(session)
        return None

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

    def _decode(self, session: Session, content: Content) -> ClientMessage | None:
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
