"""The connections of a client: opening them, reading them, and what to do when one ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from oddsengine.client.connection.backoff import Backoff
from oddsengine.client.connection.connect_timeout import ConnectTimeout
from oddsengine.client.connection.endings import CONNECTION_ERRORS, Ending, ProtocolFault, Silence, ending_of, unusable
from oddsengine.client.errors import GaveUp, NoToken, Problem
from oddsengine.client.recovery import TABLE, Action
from oddsengine.client.state import OddsState
from oddsengine.client.url import stream_url

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from websockets.asyncio.client import ClientConnection

    from oddsengine.client.recovery import Timing
    from oddsengine.client.subscriptions import Subscriptions
    from oddsengine.client.tokens import Tokens

#: Heartbeat intervals without a message after which everything is stale, and after which the connection is given up.
_STALE_HEARTBEATS: Final = 1.5
_SILENT_HEARTBEATS: Final = 2.5
_GRACE_S: Final = 0.1
#: Documented under the name of the client's module.
_log = logging.getLogger("oddsengine.client.client")
#: A silent gateway will not answer the closing handshake either, and prices grow old while waiting for it.
_CLOSE_TIMEOUT_S: Final = 0.1


@dataclass
class Run:
    """The connection of whoever iterates over messages.

    Attributes:
        socket: the connection; None between two.
        not_before_s: before when there is to be none, seconds of the event loop's clock; 0 for at once.
    """

    socket: ClientConnection | None = None
    not_before_s: float = 0.0


class Stream:
    """Follows the channels of a client.

    Args:
        url: the stream's URL, as of `OddsClient`.
        subscriptions: the channels.
        tokens: the token of each connection.
        on_problem: as of `OddsClient`.
        ssl: likewise.
        sleep: likewise.
        timing: likewise.

    Raises:
        ValueError: if the URL is not one of a gateway.
    """

    def __init__(
        self,
        url: str,
        subscriptions: Subscriptions,
        tokens: Tokens,
        on_problem: Callable[[Problem], None] | None,
        ssl: ssl.SSLContext | None,
        sleep: Callable[[float], Awaitable[None]],
        timing: Timing,
    ) -> None:
        self.url = stream_url(url)
        self.state = OddsState()
        self.connected = False
        self.problem: Problem | None = None
        self.reconnects = 0
        self._subscriptions = subscriptions
        self._tokens = tokens
        self._backoff = Backoff(timing)
        self._connect_timeout = ConnectTimeout(timing)
        self._on_problem = on_problem
        #: the codes that were logged since everything was subscribed to
        self._logged: set[str] = set()
        self._ssl = ssl
        self._sleep = sleep
        self._timing = timing
        self._socket: ClientConnection | None = None
        #: requests that are to be sent, or are being sent: one that was cancelled is sent again
        self._outgoing: deque[dict[str, Any]] = deque()
        #: what is sent goes one after the other, so that a channel is left before it is asked for again
        self._sending = asyncio.Lock()
        self._renewal: asyncio.Task[None] | None = None
        #: when the connection was welcomed, monotonic seconds; None before
        self._welcomed_s: float | None = None
        self._heartbeat_s = timing.welcome_s
        #: when the last message arrived, monotonic seconds
        self._received_s = 0.0

    async def next_message(self, run: Run) -> dict[str, Any]:
        """Return the next message after applying it, of the next connection if this one ends.

        May be cancelled: the connection stays, and no message is lost.

        Raises:
            GaveUp: if the gateway refuses the client in a way that a retry cannot fix.
        """
        while True:
            try:
                if run.socket is None:
                    if run.not_before_s:
                        # The wait for it was cancelled.
                        await self._wait(run, max(0.0, run.not_before_s - _now_s()))
                    run.socket = await self._open()
                return await self._receive(run.socket)
            except CONNECTION_ERRORS as error:
                ending = ending_of(error, self.url)
            except NoToken as error:
                ending = Ending("token", str(error))
            await self.close(run)
            await self._wait(run, self._recover(ending))

    async def _wait(self, run: Run, delay_s: float) -> None:
        run.not_before_s = _now_s() + delay_s
        await self._sleep(delay_s)
        run.not_before_s = 0.0

    async def send_now(self) -> None:
        """Send what is due, if there is a connection. Whoever reads it finds out what is wrong with it."""
        socket = self._socket
        if socket is not None and self._welcomed_s is not None:
            with contextlib.suppress(*CONNECTION_ERRORS):
                await self._send(socket)

    async def _open(self) -> ClientConnection:
        """Return a new connection. Raises what `ending_of` explains, or GaveUp if there is only the token that was refused."""
        self._welcomed_s = None
        if await self._tokens.take():
            self._subscriptions.forget_positions()
        headers = {} if self._tokens.token is None else {"Authorization": f"Bearer {self._tokens.token}"}
        options: dict[str, Any] = {"ssl": self._ssl} if self._ssl is not None and self.url.startswith("wss:") else {}
        limit_s = self._connect_timeout.begin(_now_s())
        try:
            socket = await connect(
                self.url,
                compression=None,
                max_size=None,
                subprotocols=[Subprotocol("odds.v1.json")],
                additional_headers=headers,
                open_timeout=limit_s,
                close_timeout=_CLOSE_TIMEOUT_S,
                # The gateway's heartbeats show that it is there, and pings count as messages.
                ping_interval=None,
                **options,
            )
        except TimeoutError:
            self._connect_timeout.timed_out()
            raise
        except ValueError as error:
            if isinstance(error, CONNECTION_ERRORS):  # as errors of certificates are
                raise
            raise GaveUp(Problem("unreachable", unusable(self.url))) from error
        self._heartbeat_s = limit_s / _SILENT_HEARTBEATS
        self._received_s = _now_s()
        self._subscriptions.begin()
        self._outgoing.clear()
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
                wanted, refused = self._handle(message)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise ProtocolFault(f"a message {message['op']!r} that can't be read: {error!r}") from error
            self.state.note_message(round(time.time() * 1000), time.monotonic() + self._heartbeat_s * _STALE_HEARTBEATS)
            if wanted is not None:
                if wanted["op"] == "error":
                    self._report_error(wanted, refused)
                return wanted

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
            await self._send(socket)

    async def _send(self, socket: ClientConnection) -> None:
        async with self._sending:
            if socket is not self._socket:
                return
            self._outgoing.extend(self._subscriptions.due(_now_s()))
            while self._outgoing:
                request = self._outgoing[0]
                await socket.send(orjson.dumps(request).decode())
                if self._outgoing and self._outgoing[0] is request:
                    self._outgoing.popleft()

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
            # The network may have lost it. What never welcomes us is no gateway.
            fault = ProtocolFault if self._connect_timeout.timed_out() else Silence
            raise fault(f"no welcome within {silent_s:.1f} s")
        self._connect_timeout.note_silence()
        raise Silence(f"no message from the gateway for {silent_s:.1f} s")

    def _handle(self, message: dict[str, Any]) -> tuple[dict[str, Any] | None, list[str]]:
        """Apply a message. Return what of it is about channels that are followed, and the channels that it refuses."""
        op = message["op"]
        if op == "welcome":
            self._heartbeat_s = message["heartbeat_ms"] / 1000
            if self._heartbeat_s <= 0:
                raise ValueError("heartbeat_ms is not above 0")
            self.connected = True
            self.problem = None
            self._welcomed_s = self._received_s
            self._connect_timeout.note_welcome(self._received_s)
        elif op == "bye":
            self._backoff.asked_ms = int(message["reconnect_ms"]) if "reconnect_ms" in message else None
        elif op == "authenticated":
            self._subscriptions.grant()
            expires_ms = message.get("expires_ms")
            self._tokens.renew_before(None if expires_ms is None else expires_ms / 1000)
        wanted = self._subscriptions.wanted(message)
        if wanted is not None and op != "unsubscribed":  # whose channels were dropped when they were left
            self.state.apply(wanted)
        refused = self._subscriptions.receive(message, self._received_s)
        for channel in refused:
            self.state.drop(channel)
        if op == "subscribed" and not self._subscriptions.refused:
            self.problem = None
            self._logged.clear()
        return wanted, refused

    def _report_error(self, message: dict[str, Any], refused: list[str]) -> None:
        code, text = str(message["code"]), str(message.get("message", ""))
        if code in TABLE and TABLE[code].action is Action.GIVE_UP:
            raise GaveUp(Problem(code, text, None, tuple(refused)))
        due_s = self._subscriptions.retry_at_s(refused)
        retry_s = None if due_s is None else max(0.0, due_s - _now_s())
        self._report(Problem(code, text, retry_s, tuple(refused)))

    async def close(self, run: Run) -> None:
        """End a connection, and note that nothing is known to be current, unless there is another one meanwhile."""
        socket, run.socket = run.socket, None
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

    def _recover(self, ending: Ending) -> float:
        """Return in how many seconds the next connection is due. Raises GaveUp if it would fail the same way."""
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
        return delay_s

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
