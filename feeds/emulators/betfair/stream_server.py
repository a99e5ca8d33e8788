"""The stream of an emulated exchange: a TCP server that speaks the Betfair Exchange Stream protocol.

It understands `authentication`, `marketSubscription` (with `initialClk` and `clk` to resume) and `heartbeat`, and one operation
of its own that injects faults, from any connection: `{"op":"misbehave","kind":"stall","seconds":10}` (see `FAULT_KINDS`).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from feeds.emulators.betfair.history import ChangeHistory
from feeds.emulators.betfair.stream_session import CRLF, SessionContext, StreamSession
from feeds.emulators.core.faults import SKEW_MS, Faults
from feeds.emulators.core.reordering import Reorderer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from feeds.emulators.betfair.history import Changes
    from feeds.emulators.betfair.stream_session import Tradable

#: Real seconds between two ticks.
TICK_S: Final = 0.2

#: The faults it supports; `feeds.emulators.core.faults` describes each.
FAULT_KINDS: Final = frozenset(
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


class StreamServer:
    """Serves one exchange, simulated or emulated, on loopback.

    Args:
        exchange: the exchange it serves.
        clock: monotonic seconds.
        tick_s: real seconds a tick takes.
        initial_clk: identifies this run to resuming subscribers; None: a name with the current time.
    """

    def __init__(
        self, exchange: Tradable, clock: Callable[[], float], *, tick_s: float = TICK_S, initial_clk: str | None = None
    ) -> None:
        self.exchange = exchange
        self._clock = clock
        self._tick_s = tick_s
        self._server: asyncio.Server | None = None
        self._sessions: set[StreamSession] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._history = ChangeHistory(initial_clk or f"sim-{exchange.pt_ms:x}")
        self._faults = Faults(clock, FAULT_KINDS)
        self._context = SessionContext(exchange, self._history, self._faults, clock, self.pt_ms, self.inject_fault)
        self._reorderer = Reorderer[tuple["Changes", int]]()
        #: whether the exchange is frozen; heartbeats continue
        self.paused = False

    @property
    def port(self) -> int:
        """The port it listens on; valid after `start`."""
        assert self._server is not None  # noqa: S101 - after start()
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def fault_kinds(self) -> frozenset[str]:
        """The faults it can inject."""
        return FAULT_KINDS

    @property
    def connections(self) -> int:
        """The number of open sessions."""
        return len(self._sessions)

    def pt_ms(self) -> int:
        """Return the publish time by the provider's clock, Unix milliseconds."""
        skew = SKEW_MS if self._faults.is_active("skew") else 0
        return self.exchange.pt_ms - skew

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Start listening; `port` 0 takes a free one."""
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
        """Advance by one tick and send its changes to every subscriber."""
        for session in self._sessions:
            session.drip()
        if self.paused:
            batches = self._reorderer.flush() or [([], self.pt_ms())]
        else:
            changes = self.exchange.tick()
            self._history.append(self.exchange.ticks, changes)
            batches = self._reorderer.push([(changes, self.pt_ms())], swap=self.is_active("reorder"))
        for changes, pt_ms in batches:
            self._broadcast(changes, pt_ms)

    def inject_fault(self, kind: str, seconds: float = 5.0) -> None:
        """Start a fault, once or for a while; `seconds` 0 ends it.

        Raises:
            ValueError: if `kind` is not one of `FAULT_KINDS`.
        """
        self._faults.begin(kind, seconds)
        if kind == "restart":
            self._history.restart(f"sim-restarted-{self.exchange.pt_ms:x}")
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

    def is_active(self, kind: str) -> bool:
        """Check whether a fault is active now."""
        return self._faults.is_active(kind)

    def _broadcast(self, changes: Changes, pt_ms: int) -> None:
        if self.is_active("half_open"):
            return
        if self.is_active("stall"):
            changes = []
        for session in list(self._sessions):
            if session.subscription is not None:
                session.send_changes(changes, pt_ms)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = StreamSession(self._context, writer)
        self._sessions.add(session)
        handler = asyncio.current_task()
        if handler is not None:
            self._handlers.add(handler)
            handler.add_done_callback(self._handlers.discard)
        try:
            await self._faults.wait_until_over("half_open")
            if not self.is_active("drop"):
                await session.message_loop(reader)
        except OSError:
            pass  # the subscriber closed the connection
        finally:
            self._sessions.discard(session)
            session.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
