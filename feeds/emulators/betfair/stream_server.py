"""The stream of an emulated exchange: a TCP server that speaks the Betfair Exchange Stream protocol.

It understands `authentication`, `marketSubscription` (with `initialClk` and `clk` to resume) and `heartbeat`, and one
operation of its own, from any connection: `{"op":"misbehave","kind":"stall","seconds":10}` (see `MISCHIEF`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
import orjson

from feeds.emulators.core.faults import Mischief

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

#: Real seconds between two ticks.
TICK_S: Final = 0.2
CRLF: Final = b"\r\n"
#: Ticks that can be resumed from.
_HISTORY_TICKS: Final = 600
_SEGMENT_MARKETS: Final = 5

#: What the provider can do wrong on demand; `feeds.emulators.core.faults` says what each is.
MISCHIEF: Final = frozenset(
    {
        "drop",
        "half_open",
        "stall",
        "drip",
        "garbage",
        "truncate",
        "duplicate",
        "reorder",
        "restart",
        "refuse_clk",
        "busy",
        "segment",
        "image",
        "skew",
    }
)
#: What comes through in a tick where bytes only drip.
_DRIP_BYTES: Final = 400


class Tradable(Protocol):
    """What an exchange trades: markets that it can describe whole."""

    @property
    def ticks(self) -> int:
        """How many ticks have passed."""
        ...

    @property
    def pt_ms(self) -> int:
        """The publish time, Unix milliseconds."""
        ...

    @property
    def markets(self) -> Sequence[Any]:
        """Every market there is now."""
        ...

    def tick(self) -> list[dict[str, Any]]:
        """Go one tick on and give the market changes it brings, in the provider's words."""
        ...

    def image(self, market: Any) -> dict[str, Any]:
        """Describe a market whole."""
        ...


class _Request(msgspec.Struct, rename="camel"):
    op: str
    id: int = 0
    app_key: str = ""
    session: str = ""
    initial_clk: str | None = None
    clk: str | None = None
    heartbeat_ms: int = 5000
    kind: str = ""
    seconds: float = 5.0


class StreamServer:
    """Serves one exchange, simulated or emulated, on loopback.

    Args:
        exchange: what it trades.
        clock: monotonic seconds.
        tick_s: real seconds a tick takes; 0 to tick only when told (`step`).
    """

    def __init__(self, exchange: Tradable, clock: Callable[[], float], *, tick_s: float = TICK_S) -> None:
        self.exchange = exchange
        self._clock = clock
        self._tick_s = tick_s
        self._server: asyncio.Server | None = None
        self._sessions: set[_Session] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._history: deque[tuple[int, list[dict[str, Any]]]] = deque(maxlen=_HISTORY_TICKS)
        self._mischief = Mischief(clock, MISCHIEF)
        self._held: tuple[list[dict[str, Any]], int] | None = None
        #: a paused market stands still; heartbeats go on
        self.paused = False
        #: a provider that starts anew does not know the clocks of before
        self.initial_clk = f"sim-{exchange.pt_ms:x}"

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._server is not None  # noqa: S101 - after start()
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def kinds(self) -> frozenset[str]:
        """Name what it can do wrong."""
        return MISCHIEF

    @property
    def connections(self) -> int:
        """How many sessions are open."""
        return len(self._sessions)

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Begin to listen; `port` 0 takes a free one."""
        self.step()
        self._server = await asyncio.start_server(self._serve, host, port, ssl=tls)

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        if self._server is not None:
            self._server.close()
        for session in list(self._sessions):
            session.close()
        if self._server is not None:
            await self._server.wait_closed()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def run(self) -> None:
        """Tick by the clock until cancelled; a late tick is made up for, so that ticks stay reproducible."""
        due = self._clock()
        while True:
            due += self._tick_s
            await asyncio.sleep(max(0.0, due - self._clock()))
            self.step()

    def step(self) -> None:
        """Go one tick on and tell every subscriber."""
        for session in self._sessions:
            session.drip()
        if self.paused:
            held, self._held = self._held, None
            self._broadcast(*(held or ([], self.exchange.pt_ms)))
            return
        changes = self.exchange.tick()
        self._history.append((self.exchange.ticks, changes))
        told = (changes, self.exchange.pt_ms)
        if self.is_on("reorder"):
            if self._held is None:
                self._held = told
                return
            self._broadcast(*told)
            told, self._held = self._held, None
        elif self._held is not None:
            self._broadcast(*self._held)
            self._held = None
        self._broadcast(*told)

    def misbehave(self, kind: str, seconds: float = 5.0) -> None:
        """Do something wrong, once or for a while (`seconds`, at most until told `seconds` 0).

        Raises:
            ValueError: if `kind` is not one of `MISCHIEF`.
        """
        self._mischief.begin(kind, seconds)
        if kind == "restart":
            self._history.clear()
            self.initial_clk = f"sim-restarted-{self.exchange.pt_ms:x}"
        for session in list(self._sessions):
            if kind in {"drop", "restart"}:
                session.close()
            elif kind == "garbage":
                session.write_raw(b'{"op":"mcm","id":\x00\xff, this is no JSON' + CRLF)
            elif kind == "truncate":
                session.write_raw(b'{"op":"mcm","clk":"AAAA","mc":[{"id":"1.3000')
                session.close()
            elif kind == "image" and session.subscription is not None:
                session.send_image()

    def is_on(self, kind: str) -> bool:
        """Tell whether a lasting mischief is going on."""
        return self._mischief.is_on(kind)

    async def over(self, kind: str) -> None:
        """Wait until a mischief is over."""
        await self._mischief.over(kind)

    def clk(self) -> str:
        """Write the present tick as a clock."""
        return f"{self.exchange.ticks:x}"

    def since(self, initial_clk: str, clk: str) -> list[dict[str, Any]] | None:
        """Give all changes since a clock, None if that can't be done."""
        if initial_clk != self.initial_clk or self.is_on("refuse_clk"):
            return None
        try:
            tick = int(clk, 16)
        except ValueError:
            return None
        if not self._history or tick < self._history[0][0] - 1 or tick > self.exchange.ticks:
            return None
        return [change for number, changes in self._history if number > tick for change in changes]

    def _broadcast(self, changes: list[dict[str, Any]], pt_ms: int) -> None:
        if self.is_on("half_open"):
            return
        if self.is_on("stall"):
            changes = []
        for session in list(self._sessions):
            if session.subscription is not None:
                session.send_changes(changes, pt_ms)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(self, writer, self._clock)
        self._sessions.add(session)
        handler = asyncio.current_task()
        if handler is not None:
            self._handlers.add(handler)
            handler.add_done_callback(self._handlers.discard)
        try:
            await self._mischief.over("half_open")
            if not self.is_on("drop"):
                await session.converse(reader)
        except OSError:
            pass  # the subscriber went away
        finally:
            self._sessions.discard(session)
            session.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class _Session:
    """One subscriber's connection."""

    def __init__(self, server: StreamServer, writer: asyncio.StreamWriter, clock: Callable[[], float]) -> None:
        self._server = server
        self._writer = writer
        self._clock = clock
        self._authenticated = False
        self._heartbeat_ms = 5000
        self._last_sent_s = clock()
        self._tells_busy = False
        self._dripping = b""
        self.subscription: int | None = None

    async def converse(self, reader: asyncio.StreamReader) -> None:
        self._send({"op": "connection", "connectionId": f"sim-{id(self):x}"})
        while True:
            line = await reader.readline()
            await self._server.over("half_open")
            if not line:
                return
            try:
                request = msgspec.json.decode(line, type=_Request)
            except msgspec.DecodeError as error:
                self._fail(0, "INVALID_REQUEST", str(error), closed=True)
                return
            if not self._answer(request):
                return

    def _answer(self, request: _Request) -> bool:
        if request.op == "misbehave":
            try:
                self._server.misbehave(request.kind, request.seconds)
            except ValueError as error:
                self._fail(request.id, "INVALID_INPUT", str(error), closed=False)
            else:
                self._succeed(request.id)
        elif request.op == "authentication":
            if not request.app_key or not request.session:
                self._fail(request.id, "NO_SESSION", "appKey and session are needed", closed=True)
                return False
            self._authenticated = True
            self._succeed(request.id)
        elif not self._authenticated:
            self._fail(request.id, "NOT_AUTHORIZED", "authenticate first", closed=True)
            return False
        elif request.op == "marketSubscription":
            self._subscribe(request)
        elif request.op == "heartbeat":
            self._succeed(request.id)
        else:
            self._fail(request.id, "INVALID_REQUEST", f"unknown op {request.op!r}", closed=False)
        return True

    def _subscribe(self, request: _Request) -> None:
        changes: list[dict[str, Any]] | None = None
        if request.initial_clk is not None and request.clk is not None:
            changes = self._server.since(request.initial_clk, request.clk)
            if changes is None:
                self._fail(request.id, "INVALID_CLOCK", "the clock is not known here", closed=False)
                return
        self._succeed(request.id)
        self.subscription = request.id
        self._heartbeat_ms = request.heartbeat_ms
        if changes is None:
            self.send_image()
        else:
            self._send_change("RESUB_DELTA", changes)

    def send_image(self) -> None:
        exchange = self._server.exchange
        images = [exchange.image(market) for market in exchange.markets]
        if not self._server.is_on("segment") or len(images) <= _SEGMENT_MARKETS:
            self._send_change("SUB_IMAGE", images)
            return
        slices = [images[at : at + _SEGMENT_MARKETS] for at in range(0, len(images), _SEGMENT_MARKETS)]
        kinds = ["SEG_START", *["SEG"] * (len(slices) - 2), "SEG_END"]
        for kind, part in zip(kinds, slices, strict=True):
            self._send_change("SUB_IMAGE", part, segment=kind)

    def send_changes(self, changes: list[dict[str, Any]], pt_ms: int) -> None:
        if self._server.is_on("busy"):
            self._tells_busy = True
            self._send({"op": "mcm", "id": self.subscription, "status": 503})
            return
        if self._tells_busy:
            # What it could not tell while it was behind comes now, whole.
            self._tells_busy = False
            self.send_image()
            return
        if changes:
            self._send_change(None, changes, pt_ms=pt_ms)
            if self._server.is_on("duplicate"):
                self._send_change(None, changes, pt_ms=pt_ms)
        elif (self._clock() - self._last_sent_s) * 1000 >= self._heartbeat_ms:
            self._send_change("HEARTBEAT", [])

    def _send_change(
        self, ct: str | None, changes: list[dict[str, Any]], segment: str | None = None, pt_ms: int | None = None
    ) -> None:
        message: dict[str, Any] = {
            "op": "mcm",
            "id": self.subscription,
            "clk": self._server.clk(),
            "pt": self._server.exchange.pt_ms if pt_ms is None else pt_ms,
        }
        if ct is not None:
            message["ct"] = ct
        if ct in {"SUB_IMAGE", "RESUB_DELTA"}:
            message |= {"initialClk": self._server.initial_clk, "heartbeatMs": self._heartbeat_ms, "conflateMs": 0}
        if segment is not None:
            message["segmentType"] = segment
        if changes:
            message["mc"] = changes
        self._send(message)

    def _succeed(self, request: int) -> None:
        self._send({"op": "status", "id": request, "statusCode": "SUCCESS", "connectionClosed": False})

    def _fail(self, request: int, code: str, message: str, *, closed: bool) -> None:
        failure = {"errorCode": code, "errorMessage": message, "connectionClosed": closed}
        self._send({"op": "status", "id": request, "statusCode": "FAILURE", **failure})

    def _send(self, message: dict[str, Any]) -> None:
        self.write_raw(orjson.dumps(message) + CRLF)

    def write_raw(self, data: bytes) -> None:
        if self._writer.is_closing():
            return
        if self._dripping or self._server.is_on("drip"):
            self._dripping += data
        else:
            self._writer.write(data)
        self._last_sent_s = self._clock()

    def drip(self) -> None:
        """Let through what may come through in a tick."""
        if self._dripping and not self._writer.is_closing():
            size = _DRIP_BYTES if self._server.is_on("drip") else len(self._dripping)
            self._writer.write(self._dripping[:size])
            self._dripping = self._dripping[size:]

    def close(self) -> None:
        self._writer.close()
