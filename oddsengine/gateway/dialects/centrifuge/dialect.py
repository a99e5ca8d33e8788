"""Centrifuge's protocol over a socket: commands, several of them in a frame, pings of the server."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from oddsengine import __version__
from oddsengine.gateway.access.authentication import Unauthorised
from oddsengine.gateway.access.published_keys import KeysUnavailable
from oddsengine.gateway.dialects.centrifuge import codes
from oddsengine.gateway.dialects.centrifuge.codes import Disconnect
from oddsengine.gateway.dialects.centrifuge.messages import BadCommand, Command, Options, Refresh, Subscribe, decode_command
from oddsengine.gateway.dialects.centrifuge.positions import digest_of, position_for, recover
from oddsengine.gateway.dialects.centrifuge.session import CentrifugeSession
from oddsengine.gateway.dialects.dialect import BACKLOG_POLL_S, MAX_BACKLOG_BYTES, CloseSession, SessionAccess, count_message
from oddsengine.gateway.protocol import client_messages as native
from oddsengine.gateway.protocol.codes import Close
from oddsengine.gateway.protocol.delivery import DeliveryOptions
from oddsengine.gateway.state.replica import UnknownChannel
from oddsengine.streams.positions import encode_at

if TYPE_CHECKING:
    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.server.websocket import MessageSocket

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

    def __init__(self, hub: Hub, sessions: SessionAccess, ping_s: int = PING_S) -> None:
        self._hub = hub
        self._sessions = sessions
        self._ping_s = ping_s

    def open(self, socket: MessageSocket, transport: asyncio.Transport, access: Access | None, session_id: str) -> Session:
        """Open a session in the hub."""
        return self._hub.add(CentrifugeSession(session_id, transport, socket.framing()), access)

    async def converse(self, socket: MessageSocket, session: Session) -> None:
        """Handle what a client sends until the socket has ended. Raises CloseSession."""
        assert isinstance(session, CentrifugeSession)  # noqa: S101 - `open` has made it
        pings = _Pings(self._hub, session, self._ping_s)
        now_s = asyncio.get_running_loop().time
        deadline_s = now_s() + self._sessions.timeout_s
        try:
            while not socket.has_ended and session.is_open and not session.transport.is_closing():
                while session.backlog() > MAX_BACKLOG_BYTES and not session.transport.is_closing():  # noqa: ASYNC110
                    await asyncio.sleep(BACKLOG_POLL_S)
                if session.is_connected:
                    received = await socket.receive()
                else:
                    try:
                        async with asyncio.timeout_at(deadline_s):
                            received = await socket.receive()
                    except TimeoutError:
                        raise CloseSession(Close.AUTH_TIMEOUT, "stale: not connected in time") from None
                content = socket.content(received)
                if isinstance(content, str):
                    await self._handle_frame(session, content, pings)
                elif isinstance(content, bytes):
                    raise CloseSession(Disconnect.INAPPROPRIATE_PROTOCOL, "this is the JSON protocol: text only")
                else:
                    count_message(self._hub, session, now_s())
                del received, content  # each socket would keep its last one while it waits for the next
            await socket.finish()
        finally:
            pings.stop()

    async def _handle_frame(self, session: CentrifugeSession, frame: str, pings: _Pings) -> None:
        for number, line in enumerate(frame.split("\n"), 1):
            if not number % _COMMANDS_PER_TURN:
                await asyncio.sleep(_COMMANDS_PER_TURN / _COMMANDS_PER_S)
            if not line or not session.is_open:
                continue
            count_message(self._hub, session, asyncio.get_running_loop().time())
            try:
                command = decode_command(line)
            except BadCommand as problem:
                self._hub.counters.bad_messages += 1
                raise CloseSession(Close.BAD_MESSAGE, f"bad request: {problem}") from None
            if not session.is_connected:
                await self._connect(session, command)
                pings.start()
            else:
                await self._handle(session, command)

    async def _handle(self, session: CentrifugeSession, command: Command) -> None:
        number = command.id
        if command.is_pong:
            session.is_ponged = True
        elif command.subscribe is not None:
            self._subscribe(session, number, command.subscribe)
        elif command.unsubscribe is not None:
            self._hub.handle(session, native.Unsubscribe(id=number, channels=[command.unsubscribe.channel]))
        elif command.refresh is not None:
            await self._refresh(session, number, command.refresh)
        elif command.ping is not None:
            self._hub.handle(session, native.Ping(id=number))
        elif command.connect is not None:
            raise CloseSession(Close.BAD_MESSAGE, "bad request: connected already")
        else:  # publish, presence, history, rpc ..
            session.fail(number, codes.NOT_AVAILABLE)

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


class _Pings:
    """Sends a session pings, and closes it if one was not answered before the next.

    Args:
        hub: closes it.
        session: the session.
        interval_s: how often.
    """

    def __init__(self, hub: Hub, session: CentrifugeSession, interval_s: float) -> None:
        self._hub = hub
        self._session = session
        self._interval_s = interval_s
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Send the first one in an interval. No-op if it was called before, or if the session is not connected yet."""
        if self._timer is None and self._session.is_connected:
            self._schedule()

    def stop(self) -> None:
        """Send none any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._ping)

    def _ping(self) -> None:
        session = self._session
        if not session.is_open or session.transport.is_closing():
            return
        if session.backlog():
            session.is_ponged = True  # it still reads what it was sent before
        elif session.is_ponged:
            session.ping()
        else:
            self._hub.end(session, Disconnect.NO_PONG, "no pong")
            return
        self._schedule()


def _expiry(access: Access) -> dict[str, bool | int]:
    """Return when an SDK should ask for the next token: before the present one expires."""
    if access.expires_s is None:
        return {}
    left_s = access.expires_s - time.time()
    return {"expires": True, "ttl": max(1, int(left_s - min(_RENEW_BEFORE_S, left_s * _RENEW_SHARE)))}
