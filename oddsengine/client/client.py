"""The connection of a client: opening it, reading it, and what to do when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, Final

import orjson
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from oddsengine.client.backoff import Backoff
from oddsengine.client.endings import CONNECTION_ERRORS, Ending, ProtocolFault, Silence, ending_of, unusable
from oddsengine.client.errors import GaveUp, NoToken, Problem
from oddsengine.client.recovery import TABLE, Action, Timing
from oddsengine.client.state import OddsState
from oddsengine.client.subscriptions import Subscriptions, options_of
from oddsengine.client.tokens import Tokens
from oddsengine.client.url import stream_url

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from websockets.asyncio.client import ClientConnection

#: Heartbeat intervals without a message after which everything is stale, and after which the connection is given up.
_STALE_HEARTBEATS: Final = 1.5
_SILENT_HEARTBEATS: Final = 2.5
_GRACE_S: Final = 0.1
_log = logging.getLogger(__name__)
#: A silent gateway will not answer the closing handshake either, and prices grow old while waiting for it.
_CLOSE_TIMEOUT_S: Final = 0.1


class OddsClient:
    """Follows channels of one gateway.

    Args:
        url: the stream's URL, `ws://host:port/v1/stream`; `http://host:port` and `host:port` are completed to it.
        channels: the channels to subscribe to.
        min_interval_ms: the shortest time between two updates of a channel.
        odds_format: the format of prices.
        token: returns the token, at once or as an awaitable; called for each connection, before a token expires, and after one
            was refused. None where none is required.
        on_problem: called with everything that keeps the client from current data; it may raise to end `messages`. None logs a
            warning when something begins to.
        ssl: the TLS context for `wss:` URLs, as for a private authority; None for the system's certificates.
        sleep: waits before a reconnect, seconds.
        timing: how long to wait for what.

    Raises:
        ValueError: if the URL is not one of a gateway.
    """

    def __init__(  # noqa: PLR0913 - each is an option
        self,
        url: str,
        channels: Sequence[str],
        *,
        min_interval_ms: int = 0,
        odds_format: str = "decimal",
        token: Callable[[], str | Awaitable[str]] | None = None,
        on_problem: Callable[[Problem], None] | None = None,
        ssl: ssl.SSLContext | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timing: Timing = Timing(),  # noqa: B008 - immutable
    ) -> None:
        self.url = stream_url(url)
        #: what is on offer, and which channels may be out of date
        self.state = OddsState()
        #: whether there is a connection
        self.connected = False
        #: the last thing that kept the client from current data; None once it has a connection again
        self.problem: Problem | None = None
        #: how often a connection has ended or could not be made
        self.reconnects = 0
        self._subscriptions = Subscriptions(channels, options_of(min_interval_ms, odds_format), timing)
        self._tokens = Tokens(token, timing)
        self._backoff = Backoff(timing)
        self._on_problem = on_problem
        #: the codes that were logged since everything was subscribed to
        self._logged: set[str] = set()
        self._ssl = ssl
        self._sleep = sleep
        self._timing = timing
        self._socket: ClientConnection | None = None
        self._renewal: asyncio.Task[None] | None = None
        #: when the connection was welcomed, monotonic seconds; None before
        self._welcomed_s: float | None = None
        self._heartbeat_s = timing.welcome_s
        #: when the last message arrived, monotonic seconds
        self._received_s = 0.0

    @property
    def channels(self) -> list[str]:
        """The channels that the client follows."""
        return self._subscriptions.channels

    @property
    def at(self) -> dict[str, str]:
        """The last `at` received on each channel."""
        return self._subscriptions.at

    @property
    def resumed(self) -> int:
        """How often a channel was resumed with a diff."""
        return self._subscriptions.resumed

    @property
    def refused(self) -> dict[str, str]:
        """The channels that the gateway refuses, and why. They are asked for again as the table in docs/protocol.md says."""
        return {channel: refusal.text for channel, refusal in self._subscriptions.refused.items()}

    async def messages(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield every message after applying it to `state`. Reconnects and resumes until cancelled, or no longer iterated.

        Raises:
            GaveUp: a ValueError, if the gateway refuses the client in a way that a retry cannot fix.
        """
        self.state.expect(self.channels)
        socket: ClientConnection | None = None
        try:
            while True:
                try:
                    socket = await self._open()
                    while True:
                        yield await self._receive(socket)
                except CONNECTION_ERRORS as error:
                    ending = ending_of(error, self.url)
                except NoToken as error:
                    ending = Ending("token", str(error))
                await self._close(socket)
                socket = None
                await self._recover(ending)
        finally:
            await self._close(socket)

    # -- one connection -------------------------------------------------------------------------------------------

    async def _open(self) -> ClientConnection:
        """Return a new connection. Raises what `ending_of` explains, or GaveUp if there is only the token that was refused."""
        self._welcomed_s = None
        if await self._tokens.take():
            self._subscriptions.forget_positions()
        headers = {} if self._tokens.token is None else {"Authorization": f"Bearer {self._tokens.token}"}
        options: dict[str, Any] = {"ssl": self._ssl} if self._ssl is not None and self.url.startswith("wss:") else {}
        try:
            socket = await connect(
                self.url,
                compression=None,
                max_size=None,
                subprotocols=[Subprotocol("odds.v1.json")],
                additional_headers=headers,
                open_timeout=self._timing.welcome_s,
                close_timeout=_CLOSE_TIMEOUT_S,
                # The gateway's heartbeats show that it is there, and pings count as messages.
                ping_interval=None,
                **options,
            )
        except ValueError as error:
            if isinstance(error, CONNECTION_ERRORS):  # as errors of certificates are
                raise
            raise GaveUp(Problem("unreachable", unusable(self.url))) from error
        self._heartbeat_s = self._timing.welcome_s / _SILENT_HEARTBEATS
        self._received_s = _now_s()
        self._subscriptions.begin()
        self._socket = socket
        return socket

    async def _receive(self, socket: ClientConnection) -> dict[str, Any]:
        """Return the next message, after sending what is due meanwhile."""
        while True:
            await self._send_due(socket)
            try:
                async with asyncio.timeout_at(self._wake_at_s()):
                    received = await socket.recv()
            except TimeoutError:
                self._check_silence()
                continue
            self._received_s = _now_s()
            message = _decode(received)
            try:
                refused = self._handle(message)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ProtocolFault(f"a message {message['op']!r} that can't be read: {error!r}") from error
            self.state.note_message(round(time.time() * 1000), time.monotonic() + self._heartbeat_s * _STALE_HEARTBEATS)
            if message["op"] == "error":
                self._report_error(message, refused)
            return message

    async def _send_due(self, socket: ClientConnection) -> None:
        now_s = _now_s()
        if self._renewal is not None and self._renewal.done():
            renewal, self._renewal = self._renewal, None
            renewal.result()
        renew_at_s = self._tokens.renew_at_s
        if renew_at_s is not None and now_s >= renew_at_s and self._renewal is None:
            self._tokens.renew_at_s = None
            self._renewal = asyncio.create_task(self._renew(socket))
        if self._welcomed_s is not None:
            for request in self._subscriptions.due(now_s):
                await socket.send(orjson.dumps(request).decode())

    def _wake_at_s(self) -> float:
        """Return when to stop waiting for a message, monotonic seconds."""
        # The application may have been busy: messages that arrived meanwhile are read before silence is reported.
        silent_at_s = max(self._received_s + self._heartbeat_s * _SILENT_HEARTBEATS, _now_s() + _GRACE_S)
        due_s = self._subscriptions.next_due_s if self._welcomed_s is not None else None
        return min(time_s for time_s in (silent_at_s, self._tokens.renew_at_s, due_s) if time_s is not None)

    def _check_silence(self) -> None:
        silent_s = _now_s() - self._received_s
        if silent_s < self._heartbeat_s * _SILENT_HEARTBEATS:
            return
        if self._welcomed_s is None:
            raise ProtocolFault(f"no welcome within {silent_s:.1f} s")
        raise Silence(f"no message from the gateway for {silent_s:.1f} s")

    def _handle(self, message: dict[str, Any]) -> list[str]:
        """Apply a message. Return the channels that it refuses."""
        op = message["op"]
        if op == "welcome":
            self._heartbeat_s = message["heartbeat_ms"] / 1000
            if self._heartbeat_s <= 0:
                raise ValueError("heartbeat_ms is not above 0")
            self.connected = True
            self.problem = None
            self._welcomed_s = self._received_s
        elif op == "bye":
            self._backoff.asked_ms = int(message["reconnect_ms"]) if "reconnect_ms" in message else None
        elif op == "authenticated":
            self._subscriptions.grant()
            expires_ms = message.get("expires_ms")
            self._tokens.renew_before(None if expires_ms is None else expires_ms / 1000)
        self.state.apply(message)
        refused = self._subscriptions.receive(message, self._received_s)
        for channel in refused:
            self.state.drop(channel)
        if op == "subscribed" and not self._subscriptions.refused:
            self.problem = None
            self._logged.clear()
        return refused

    def _report_error(self, message: dict[str, Any], refused: list[str]) -> None:
        code, text = str(message["code"]), str(message.get("message", ""))
        if code in TABLE and TABLE[code].action is Action.GIVE_UP:
            raise GaveUp(Problem(code, text, None, tuple(refused)))
        due_s = self._subscriptions.retry_at_s(refused)
        retry_s = None if due_s is None else max(0.0, due_s - _now_s())
        self._report(Problem(code, text, retry_s, tuple(refused)))

    async def _close(self, socket: ClientConnection | None) -> None:
        """End a connection, and note that nothing is known to be current, unless `messages` was called again meanwhile."""
        renewal = None
        if socket is self._socket:
            renewal = self._renewal
            self._socket = self._renewal = self._tokens.renew_at_s = None
            self.connected = False
            self.state.lose()
        try:
            if renewal is not None:
                renewal.cancel()
                await asyncio.gather(renewal, return_exceptions=True)
            if socket is not None:
                await socket.close()
        finally:
            if socket is not None:
                socket.transport.abort()

    async def _renew(self, socket: ClientConnection) -> None:
        """Send the next token. If there is none yet, ask again while the present one is valid."""
        try:
            token = await self._tokens.renew()
        except NoToken as error:
            renew_at_s = self._tokens.renew_at_s
            self._report(Problem("token", str(error), None if renew_at_s is None else renew_at_s - _now_s()))
            return
        if token is not None:
            with contextlib.suppress(*CONNECTION_ERRORS):
                await socket.send(orjson.dumps({"op": "auth", "token": token}).decode())

    # -- after a connection ---------------------------------------------------------------------------------------

    async def _recover(self, ending: Ending) -> None:
        """Wait until the next connection is due. Raises GaveUp if it would fail the same way."""
        self.reconnects += 1
        self._backoff.connection_ended(None if self._welcomed_s is None else _now_s() - self._welcomed_s)
        action = TABLE[ending.code].action
        if action is Action.GIVE_UP or (action is Action.ASK_TOKEN and self._tokens.token is None):
            raise GaveUp(Problem(ending.code, ending.text))
        if action is Action.ASK_TOKEN and ending.code != "4408":
            self._tokens.refuse(Problem(ending.code, ending.text))
        elif action is Action.RESTART:
            self._subscriptions.forget_positions()
        elif action is Action.RESTRAIN:
            self._subscriptions.restrain(ending.code, ending.text)
        delay_s = self._backoff.delay_s(ending, action, with_other_token=self._tokens.is_refused)
        self._report(Problem(ending.code, ending.text, delay_s))
        await self._sleep(delay_s)

    def _report(self, problem: Problem) -> None:
        self.problem = problem
        if self._on_problem is not None:
            self._on_problem(problem)
        elif problem.code not in self._logged:
            _log.warning("%s", problem)
            self._logged.add(problem.code)


def _decode(received: str | bytes) -> dict[str, Any]:
    try:
        message = orjson.loads(received)
    except ValueError:
        raise ProtocolFault("a message that is not JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("op"), str):
        raise ProtocolFault("a message without an op")
    return message


def _now_s() -> float:
    return asyncio.get_running_loop().time()
