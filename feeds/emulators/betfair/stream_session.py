"""One subscriber's connection to a stream server: requests in, market change messages out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

import msgspec
import orjson

from feeds.emulators.betfair.history import ChangeHistory
from feeds.emulators.core.faults import Faults

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from feeds.emulators.betfair.history import Changes

CRLF: Final = b"\r\n"
_SEGMENT_MARKETS: Final = 5
#: The bytes sent in a tick while the `drip` fault is active.
_DRIP_BYTES: Final = 400


class Tradable(Protocol):
    """The exchange behind a stream server."""

    @property
    def ticks(self) -> int:
        """The number of ticks so far."""
        ...

    @property
    def pt_ms(self) -> int:
        """The publish time, Unix milliseconds."""
        ...

    @property
    def markets(self) -> Sequence[Any]:
        """Every current market."""
        ...

    def tick(self) -> list[dict[str, Any]]:
        """Advance by one tick and return the market changes in Betfair's words."""
        ...

    def image(self, market: Any) -> dict[str, Any]:
        """Return the full image of a market."""
        ...


class SessionContext(NamedTuple):
    """The objects that the sessions of one server share.

    `clock` is in monotonic seconds, `pt_ms` the publish time by the provider's clock. `inject_fault` raises ValueError for a kind
    that is not supported.
    """

    exchange: Tradable
    history: ChangeHistory
    faults: Faults
    clock: Callable[[], float]
    pt_ms: Callable[[], int]
    inject_fault: Callable[[str, float], None]


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


class StreamSession:
    """One subscriber's connection.

    Args:
        context: shared with the server's other sessions.
        writer: the connection.
    """

    def __init__(self, context: SessionContext, writer: asyncio.StreamWriter) -> None:
        self._context = context
        self._writer = writer
        self._authenticated = False
        self._heartbeat_ms = 5000
        self._last_sent_s = context.clock()
        self._needs_image = False
        self._dripping = b""
        self.subscription: int | None = None

    async def message_loop(self, reader: asyncio.StreamReader) -> None:
        """Answer requests until the connection ends."""
        self._send({"op": "connection", "connectionId": f"sim-{id(self):x}"})
        while True:
            line = await reader.readline()
            await self._context.faults.wait_until_over("half_open")
            if not line:
                return
            try:
                request = msgspec.json.decode(line, type=_Request)
            except msgspec.DecodeError as error:
                self._fail(0, "INVALID_REQUEST", str(error), closed=True)
                return
            if not self._answer(request):
                return

    def send_image(self) -> None:
        """Send the image of every market, in segments while the `segment` fault is active."""
        exchange = self._context.exchange
        images = [exchange.image(market) for market in exchange.markets]
        if not self._context.faults.is_active("segment") or len(images) <= _SEGMENT_MARKETS:
            self._send_change("SUB_IMAGE", images)
            return
        slices = [images[at : at + _SEGMENT_MARKETS] for at in range(0, len(images), _SEGMENT_MARKETS)]
        kinds = ["SEG_START", *["SEG"] * (len(slices) - 2), "SEG_END"]
        for kind, part in zip(kinds, slices, strict=True):
            self._send_change("SUB_IMAGE", part, segment=kind)

    def send_changes(self, changes: Changes, pt_ms: int) -> None:
        """Send the changes of a tick; without any, a heartbeat when one is due."""
        if self._context.faults.is_active("busy"):
            self._needs_image = True
            self._send({"op": "mcm", "id": self.subscription, "status": 503})
            return
        if self._needs_image:
            # The image carries everything withheld while it was behind.
            self._needs_image = False
            self.send_image()
            return
        if changes:
            self._send_change(None, changes, pt_ms=pt_ms)
            if self._context.faults.is_active("duplicate"):
                self._send_change(None, changes, pt_ms=pt_ms)
        elif (self._context.clock() - self._last_sent_s) * 1000 >= self._heartbeat_ms:
            self._send_change("HEARTBEAT", [])

    def write_raw(self, data: bytes) -> None:
        """Write bytes unchanged. They are queued while the `drip` fault is active."""
        if self._writer.is_closing():
            return
        if self._dripping or self._context.faults.is_active("drip"):
            self._dripping += data
        else:
            self._writer.write(data)
        self._last_sent_s = self._context.clock()

    def drip(self) -> None:
        """Write as many queued bytes as one tick allows."""
        if self._dripping and not self._writer.is_closing():
            size = _DRIP_BYTES if self._context.faults.is_active("drip") else len(self._dripping)
            self._writer.write(self._dripping[:size])
            self._dripping = self._dripping[size:]

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()

    # -- requests -------------------------------------------------------------------------------------------------

    def _answer(self, request: _Request) -> bool:
        """Answer a request. Return whether the connection stays open."""
        if request.op == "misbehave":
            try:
                self._context.inject_fault(request.kind, request.seconds)
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
        changes: Changes | None = None
        if request.initial_clk is not None and request.clk is not None:
            context = self._context
            if not context.faults.is_active("refuse_clk"):
                changes = context.history.since(request.initial_clk, request.clk, context.exchange.ticks)
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

    # -- messages -------------------------------------------------------------------------------------------------

    def _send_change(self, ct: str | None, changes: Changes, segment: str | None = None, pt_ms: int | None = None) -> None:
        exchange, history = self._context.exchange, self._context.history
        message: dict[str, Any] = {
            "op": "mcm",
            "id": self.subscription,
            "clk": history.clk(exchange.ticks),
            "pt": self._context.pt_ms() if pt_ms is None else pt_ms,
        }
        if ct is not None:
            message["ct"] = ct
        if ct in {"SUB_IMAGE", "RESUB_DELTA"}:
            message |= {"initialClk": history.initial_clk, "heartbeatMs": self._heartbeat_ms, "conflateMs": 0}
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
