"""Centrifuge's protocol over a socket: commands, several of them in a frame, pings of the server."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from oddsengine import __version__
from oddsengine.gateway.access.authentication import Unauthorised
from oddsengine.gateway.access.published_keys import KeysUnavailable
from oddsengine.gateway.dialects.centrifuge import codes
from oddsengine.gateway.dialects.centrifuge.codes import Disconnect
from oddsengine.gateway.dialects.centrifuge.messages import BadCommand, Command, Options, Refresh, Subscribe, decode_command
from oddsengine.gateway.dialects.centrifuge.positions import digest_of, position_for, recover
from oddsengine.gateway.dialects.centrifuge.session import CentrifugeSession
from oddsengine.gateway.dialects.dialect import CloseSession, SessionAccess, count_message
from oddsengine.gateway.protocol import client_messages as native
from oddsengine.gateway.protocol.codes import Close
from oddsengine.gateway.protocol.delivery import DeliveryOptions
from oddsengine.gateway.state.replica import UnknownChannel
from oddsengine.streams.positions import encode_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.server.sockets.connection import Content, Wait
    from oddsengine.gateway.server.sockets.handshake import Upgrade

#: An SDK gives a connection up that was sent no ping for so long and ten seconds more.
PING_S: Final = 25
#: How many commands of one frame are handled in a second, and how many at once.
_COMMANDS_PER_S: Final = 2000
_COMMANDS_PER_TURN: Final = 50
#: What a token's life is said to be short of: an SDK asks for the next one when that has passed.
_RENEW_SHARE: Final = 0.2
_RENEW_BEFORE_S: Final = 60.0


class CentrifugeDialect:
    """Speaks Centrifuge's protocol.

    Args:
        hub: opens sessions and handles their requests.
        sessions: gives them what tokens grant.
        ping_s: how often sessions are sent a ping; whole seconds.
    """

    path: Final = "/connection/websocket"
    subprotocols: Final = ("centrifuge-json",)
    timeout_reason: Final = "stale: not connected in time"

    def __init__(self, hub: Hub, sessions: SessionAccess, ping_s: int = PING_S) -> None:
        self._hub = hub
        self._sessions = sessions
        self._ping_s = ping_s

    def open(self, upgrade: Upgrade, transport: asyncio.Transport, access: Access | None, session_id: str) -> Session:
        """Open a session in the hub."""
        session = CentrifugeSession(session_id, transport, upgrade.framing())
        session.write(upgrade.head)
        return self._hub.add(session, access)

    def is_authenticated(self, session: Session) -> bool:
        """Check whether a session has sent its first command."""
        return _own(session).is_connected

    def session_ended(self, session: Session) -> None:
        """Send a session no more pings."""
        timer = _own(session).next_ping
        if timer is not None:
            timer.cancel()

    def receive(self, session: Session, content: Content) -> Wait | None:
        """Handle a message. Return what must be awaited before the next one. Both raise CloseSession."""
        if isinstance(content, str):
            waits = self._handle_frame(_own(session), content)
            first = next(waits, None)
            return None if first is None else partial(_await_all, first, waits)
        if isinstance(content, bytes):
            raise CloseSession(Disconnect.INAPPROPRIATE_PROTOCOL, "this is the JSON protocol: text only")
        count_message(self._hub, session, asyncio.get_running_loop().time())
        return None

    def _handle_frame(self, session: CentrifugeSession, frame: str) -> Iterator[Wait]:
        """Handle the commands of a frame. Yield what must be awaited before the next one."""
        for number, line in enumerate(frame.split("\n"), 1):
            if not number % _COMMANDS_PER_TURN:
                yield partial(asyncio.sleep, _COMMANDS_PER_TURN / _COMMANDS_PER_S)
            if not line or not session.is_open:
                continue
            count_message(self._hub, session, asyncio.get_running_loop().time())
            try:
                command = decode_command(line)
            except BadCommand as problem:
                self._hub.counters.bad_messages += 1
                if problem.number is None or not session.is_connected:
                    raise CloseSession(Close.BAD_MESSAGE, f"bad request: {problem}") from None
                session.fail(problem.number, codes.BAD_REQUEST._replace(message=str(problem)))
                continue
            if not session.is_connected:
                yield partial(self._connect, session, command)
            elif (wait := self._handle(session, command)) is not None:
                yield wait

    def _handle(self, session: CentrifugeSession, command: Command) -> Wait | None:
        """Handle a command. Return what must be awaited before the next one."""
        number = command.id
        if command.is_pong:
            session.is_ponged = True
        elif command.subscribe is not None:
            self._subscribe(session, number, command.subscribe)
        elif command.unsubscribe is not None:
            self._hub.handle(session, native.Unsubscribe(id=number, channels=[command.unsubscribe.channel]))
        elif command.refresh is not None:
            return partial(self._refresh, session, number, command.refresh)
        elif command.ping is not None:
            self._hub.handle(session, native.Ping(id=number))
        elif command.connect is not None:
            raise CloseSession(Close.BAD_MESSAGE, "bad request: connected already")
        else:  # publish, presence, history, rpc ..
            session.fail(number, codes.NOT_AVAILABLE)
        return None

    async def _connect(self, session: CentrifugeSession, command: Command) -> None:
        """Handle the first command."""
        request = command.connect
        if request is None or command.is_pong:
            raise CloseSession(Close.BAD_MESSAGE, "bad request: connect first")
        if request.token and not await self._replace(session, command.id, request.token):
            return
        if session.access is None:
            session.fail(command.id, codes.UNAUTHORIZED)
            raise CloseSession(Disconnect.INVALID_TOKEN, "a token is required")
        session.is_connected = True
        client = {"client": session.session_id, "version": f"oddsengine {__version__}", "ping": self._ping_s, "pong": True}
        session.answer(command.id, connect={**client, **_expiry(session.access)})
        self._schedule_ping(session)

    async def _refresh(self, session: CentrifugeSession, number: int, request: Refresh) -> None:
        if await self._replace(session, number, request.token) and session.access is not None:
            client = {"client": session.session_id, "version": f"oddsengine {__version__}"}
            session.answer(number, refresh={**client, **_expiry(session.access)})

    async def _replace(self, session: CentrifugeSession, number: int, token: str) -> bool:
        """Apply what a token grants to a session. Return False, after an error, if an SDK should try again."""
        try:
            await self._sessions.replace(session, token)
        except Unauthorised as problem:
            if problem.is_expired:
                session.fail(number, codes.TOKEN_EXPIRED)
                return False
            raise CloseSession(Disconnect.INVALID_TOKEN, f"invalid token: {problem}") from None
        except KeysUnavailable:
            session.fail(number, codes.NOT_READY)
            return False
        return True

    def _subscribe(self, session: CentrifugeSession, number: int, request: Subscribe) -> None:
        hub, replica = self._hub, self._hub.replica
        if request.channel in session.subscriptions:
            session.fail(number, codes.ALREADY_SUBSCRIBED)
            return
        options = request.data or Options()
        assert session.access is not None  # noqa: S101 - it is connected
        digest = digest_of(DeliveryOptions(hub.profile_of(session.access), options.format, 0))
        resume = recover(request.epoch, request.offset, digest, len(replica.offers)) if request.recover else None
        try:
            channel = replica.channel(request.channel)
        except UnknownChannel:
            resume = None  # it will be refused
        else:
            if resume is not None and resume.keys() != set(channel.shards):
                resume = None
            now = replica.at(channel)
            session.subscribing[number] = {
                recovers: position_for(now, digest, resume if recovers else None) for recovers in {False, resume is not None}
            }
        hub.handle(
            session,
            native.Subscribe(
                id=number,
                channels=[request.channel],
                min_interval_ms=options.min_interval_ms,
                format=options.format,
                resume=None if resume is None else encode_at(resume),
                confirm=resume is not None,
            ),
        )

    def _schedule_ping(self, session: CentrifugeSession) -> None:
        session.next_ping = asyncio.get_running_loop().call_later(self._ping_s, self._ping, session)

    def _ping(self, session: CentrifugeSession) -> None:
        """Send a session a ping, or close it if the last one was not answered."""
        session.next_ping = None
        if not session.is_open or session.transport.is_closing():
            return
        if session.backlog():
            session.is_ponged = True  # it still reads what it was sent before
        elif session.is_ponged:
            session.ping()
        else:
            self._hub.end(session, Disconnect.NO_PONG, "no pong")
            return
        self._schedule_ping(session)


def _own(session: Session) -> CentrifugeSession:
    assert isinstance(session, CentrifugeSession)  # noqa: S101 - `open` has made it
    return session


async def _await_all(first: Wait, others: Iterator[Wait]) -> None:
    await first()
    for wait in others:
        await wait()


def _expiry(access: Access) -> dict[str, bool | int]:
    """Return when an SDK should ask for the next token: before the present one expires."""
    if access.expires_s is None:
        return {}
    left_s = access.expires_s - time.time()
    return {"expires": True, "ttl": max(1, int(left_s - min(_RENEW_BEFORE_S, left_s * _RENEW_SHARE)))}
