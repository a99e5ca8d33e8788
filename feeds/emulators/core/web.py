"""The HTTP server of an emulated provider: its routes, subject to injected faults, TLS, and two control routes of its own.

`POST /emulator/misbehave` with `{"kind":"stall","seconds":10}` injects a fault. `GET /emulator/market_model` shows the model.
"""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from feeds.emulators.core.faults import KINDS, ONCE, SKEW_MS, Faults
from feeds.emulators.core.market_model import TICK_S
from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from feeds.emulators.core.market_model import MarketModel, ModelMarket

#: The faults that every HTTP server supports.
HTTP_FAULT_KINDS: Final = frozenset(
    {
        *("drop", "http_429", "http_429_date", "http_500", "http_timeout", "page", "garbage", "truncate"),
        *("oversized", "drip", "stall", "skew", "unauthorised", "half_open"),
    }
)
_DRIP_BYTES: Final = 512
_OVERSIZED_BYTES: Final = 2_000_000
_DRIP_S: Final = 0.05
_GAP_S: Final = 0.5


class Json:
    """An answer before faults are applied to it."""

    def __init__(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.body = value if isinstance(value, bytes) else orjson.dumps(value)
        self.status = status
        self.headers = headers or {}


class WebEmulator:
    """A provider's HTTP server over a market model. A provider's own class adds its routes.

    Args:
        market_model: the market it quotes.
        kinds: the faults it supports besides `HTTP_FAULT_KINDS`.
        tick_s: real seconds a tick takes; 0: ticks only by `step`.
        on_tick: called with the markets that a tick changed.
        on_fault: called with the kind of each injected fault.
    """

    def __init__(
        self,
        market_model: MarketModel,
        kinds: frozenset[str] = frozenset(),
        *,
        tick_s: float = TICK_S,
        on_tick: Callable[[list[ModelMarket]], None] = lambda _changed: None,
        on_fault: Callable[[str], None] = lambda _kind: None,
    ) -> None:
        self.market_model = market_model
        self.faults = Faults(time.monotonic, HTTP_FAULT_KINDS | kinds)
        self._tick_s = tick_s
        self._on_tick = on_tick
        self._on_fault = on_fault
        self._app = web.Application()
        self._app.add_routes(
            [web.post("/emulator/misbehave", self._command_fault), web.get("/emulator/market_model", self._describe_model)]
        )
        self._runner: web.AppRunner | None = None
        self._ticking: list[asyncio.Task[None]] = []
        self._once: set[str] = set()
        self.requests = 0
        self.port = 0
        self.scheme = "http"
        #: whether the market model is frozen
        self.paused = False

    # -- running --------------------------------------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Start listening and ticking; `port` 0 takes a free one."""
        self.scheme = "http" if tls is None else "https"
        self._runner = web.AppRunner(self._app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, ssl_context=tls).start()
        self.port = int(self._runner.addresses[0][1])
        if self._tick_s:
            self._ticking.append(asyncio.create_task(self._run(), name="ticks"))

    async def stop(self) -> None:
        """Stop ticking and listening, and close every connection."""
        await end_tasks(self._ticking)
        self._ticking.clear()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _run(self) -> None:
        due = time.monotonic()
        while True:
            due += self._tick_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.step()

    def step(self) -> None:
        """Advance the market model by one tick, unless paused."""
        if not self.paused:
            self._on_tick(self.market_model.tick())

    def now_ms(self) -> int:
        """Return the provider's clock, Unix milliseconds."""
        skew = SKEW_MS if self.faults.is_active("skew") else 0
        return wall_clock_ms() - skew

    def inject_fault(self, kind: str, seconds: float = 5.0) -> None:
        """Start a fault, once or for a while. Raises ValueError if `kind` is not supported."""
        self.faults.begin(kind, seconds)
        if kind in ONCE:
            self._once.add(kind)
        self._on_fault(kind)

    def take_once(self, kind: str) -> bool:
        """Check whether a fault that happens once is pending, and clear it."""
        pending = kind in self._once
        self._once.discard(kind)
        return pending

    def fault_command(self, host: str) -> str:
        """Return a shell command that injects a fault from outside."""
        return f'curl http://{host}:{self.port}/emulator/misbehave -d \'{{"kind":"stall","seconds":10}}\''

    # -- answering ------------------------------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """The URL it is reached under."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def fault_kinds(self) -> frozenset[str]:
        """The faults it can inject."""
        return self.faults.kinds

    def pause(self, *, paused: bool) -> None:
        """Freeze the market model, or resume it."""
        self.paused = paused

    def route(self, method: str, path: str, handler: Callable[[web.Request], Awaitable[Json]]) -> None:
        """Add a route whose answers are subject to faults."""

        async def answer(request: web.Request) -> web.StreamResponse:
            self.requests += 1
            await self._delay(request)
            if self.faults.is_active("http_500"):
                return web.Response(status=500, text="internal error")
            if self.faults.is_active("http_429"):
                return web.Response(status=429, text="too many requests", headers={"Retry-After": "0.2"})
            if self.faults.is_active("http_429_date"):
                now_s = self.now_ms() / 1000
                dates = {"Date": formatdate(now_s, usegmt=True), "Retry-After": formatdate(now_s + 1, usegmt=True)}
                return web.Response(status=429, text="too many requests", headers=dates)
            if (unusable := self._unusable(request)) is not None:
                return unusable
            content = await handler(request)
            if self.faults.is_active("gap"):
                await asyncio.sleep(_GAP_S)
            return await self._send(request, content)

        self._app.router.add_route(method, path, answer)

    def _unusable(self, request: web.Request) -> web.Response | None:
        """Return what a fault puts in the place of the answer, with a status that promises one; None if no fault does."""
        if self.faults.is_active("page"):
            return web.Response(text=f"<html>maintenance: {request.path_qs}</html>", content_type="text/html")
        if self.faults.is_active("oversized"):
            return web.Response(body=b"[" + b" " * _OVERSIZED_BYTES, content_type="application/json")
        if self.faults.is_active("unauthorised"):
            return web.Response(status=401, text="invalid key")
        return None

    def stream_route(self, method: str, path: str, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        """Add a route whose handler applies faults itself, such as a stream."""
        self._app.router.add_route(method, path, handler)

    async def refuse_stream(self, request: web.Request, *, has_key: bool) -> web.Response | None:
        """Apply the faults that keep a stream from being opened. Return the refusal; None if it may open."""
        await self.faults.wait_until_over("half_open")
        if self.faults.is_active("drop"):
            await abort_and_hang(request)
        if not has_key or self.faults.is_active("unauthorised"):
            return web.Response(status=401, text="invalid key")
        for kind, status in (("http_500", 500), ("http_429", 429)):
            if self.faults.is_active(kind):
                return web.Response(status=status, text=kind)
        return None

    async def _delay(self, request: web.Request) -> None:
        for kind in ("http_timeout", "half_open"):
            await self.faults.wait_until_over(kind)
        if self.faults.is_active("drop"):
            await abort_and_hang(request)

    async def _send(self, request: web.Request, content: Json) -> web.StreamResponse:
        body = content.body
        if self.take_once("garbage"):
            body = b'[{"id": \x00\xff this is no JSON'
        date = formatdate(self.now_ms() / 1000, usegmt=True)
        headers = {"Content-Type": "application/json", "Date": date, **content.headers}
        response = web.StreamResponse(status=content.status, headers=headers)
        response.content_length = len(body)
        await response.prepare(request)
        if self.take_once("truncate"):
            await response.write(body[: len(body) // 2])
            await abort_and_hang(request)
        if self.faults.is_active("drip"):
            for at in range(0, len(body), _DRIP_BYTES):
                await response.write(body[at : at + _DRIP_BYTES])
                if self.faults.is_active("drip"):
                    await asyncio.sleep(_DRIP_S)
        else:
            await response.write(body)
        await response.write_eof()
        return response

    # -- control --------------------------------------------------------------------------------------------------

    async def _command_fault(self, request: web.Request) -> web.Response:
        try:
            command = orjson.loads(await request.read())
            self.inject_fault(str(command["kind"]), float(command.get("seconds", 5.0)))
        except (ValueError, KeyError, TypeError) as problem:
            kinds = {kind: KINDS[kind] for kind in sorted(self.faults.kinds)}
            return web.Response(status=400, body=orjson.dumps({"error": str(problem), "kinds": kinds}))
        return web.Response(body=orjson.dumps({"ok": True}))

    async def _describe_model(self, _request: web.Request) -> web.Response:
        markets = [
            {
                "event": market.event.number,
                "name": f"{market.event.home} v {market.event.away}",
                "kind": market.kind,
                "line": market.line,
                "status": market.status,
                "odds": market.odds(),
            }
            for market in self.market_model.markets
        ]
        return web.Response(body=orjson.dumps({"tick": self.market_model.ticks, "markets": markets}))


def abort(request: web.Request) -> None:
    """Abort the connection of a request."""
    if request.transport is not None:
        request.transport.abort()


async def abort_and_hang(request: web.Request) -> None:
    """Abort the connection of a request and wait to be cancelled with it, so that the handler sends nothing more."""
    abort(request)
    await asyncio.Event().wait()
