"""The HTTP side of an emulated provider: routes under mischief, TLS, and two doors of its own.

`POST /emulator/misbehave` with `{"kind":"stall","seconds":10}` makes it misbehave; `GET /emulator/truth` tells the truth.
"""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from feeds.emulators.core.faults import KINDS, ONCE, Mischief
from feeds.emulators.core.market_model import TICK_S
from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from feeds.emulators.core.market_model import TrueMarket, Truth

#: What every server that answers requests can do wrong.
HTTP_KINDS: Final = frozenset(
    {"drop", "http_429", "http_500", "http_timeout", "garbage", "truncate", "drip", "stall", "skew", "unauthorised", "half_open"}
)
_SKEW_MS: Final = 180_000
_DRIP_BYTES: Final = 512
_DRIP_S: Final = 0.05
_GAP_S: Final = 0.5


class Json:
    """An answer, before mischief has its way with it."""

    def __init__(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.body = value if isinstance(value, bytes) else orjson.dumps(value)
        self.status = status
        self.headers = headers or {}


class WebEmulator:
    """A provider's HTTP server over a truth; a provider's own class adds its routes.

    Args:
        truth: what it tells.
        kinds: what it can do wrong besides `HTTP_KINDS`.
        tick_s: real seconds a tick takes; 0: only when told.
        on_tick: told the markets that a tick changed.
        on_mischief: told of mischief that the server itself has to act on.
    """

    def __init__(
        self,
        truth: Truth,
        kinds: frozenset[str] = frozenset(),
        *,
        tick_s: float = TICK_S,
        on_tick: Callable[[list[TrueMarket]], None] = lambda _changed: None,
        on_mischief: Callable[[str], None] = lambda _kind: None,
    ) -> None:
        self.truth = truth
        self.mischief = Mischief(time.monotonic, HTTP_KINDS | kinds)
        self._tick_s = tick_s
        self._on_tick = on_tick
        self._on_mischief = on_mischief
        self._app = web.Application()
        self._app.add_routes([web.post("/emulator/misbehave", self._misbehave), web.get("/emulator/truth", self._tell_the_truth)])
        self._runner: web.AppRunner | None = None
        self._ticking: list[asyncio.Task[None]] = []
        self._once: set[str] = set()
        self.requests = 0
        self.port = 0
        self.scheme = "http"
        #: a paused truth stands still
        self.paused = False

    # -- running --------------------------------------------------------------------------------------------------

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Begin to listen and to tick; `port` 0 takes a free one."""
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
        """Go one tick on."""
        if not self.paused:
            self._on_tick(self.truth.tick())

    def now_ms(self) -> int:
        """Tell the time, as this provider has it."""
        skew = _SKEW_MS if self.mischief.is_on("skew") else 0
        return wall_clock_ms() - skew

    def misbehave(self, kind: str, seconds: float = 5.0) -> None:
        """Do something wrong, once or for a while. Raises ValueError if `kind` is not one it understands."""
        self.mischief.begin(kind, seconds)
        if kind in ONCE:
            self._once.add(kind)
        self._on_mischief(kind)

    def takes_once(self, kind: str) -> bool:
        """Tell whether something is to go wrong once, now; it is then done."""
        found = kind in self._once
        self._once.discard(kind)
        return found

    # -- answering ------------------------------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """Where it is reached."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def kinds(self) -> frozenset[str]:
        """Name what it can do wrong."""
        return self.mischief.kinds

    def pause(self, *, paused: bool) -> None:
        """Let the truth stand still, or move again."""
        self.paused = paused

    def route(self, method: str, path: str, handler: Callable[[web.Request], Awaitable[Json]]) -> None:
        """Answer requests with what a handler says, under mischief."""

        async def answered(request: web.Request) -> web.StreamResponse:
            self.requests += 1
            await self._hold_up(request)
            if self.mischief.is_on("http_500"):
                return web.Response(status=500, text="internal error")
            if self.mischief.is_on("http_429"):
                return web.Response(status=429, text="too many requests", headers={"Retry-After": "0.2"})
            if self.mischief.is_on("unauthorised"):
                return web.Response(status=401, text="invalid key")
            answer = await handler(request)
            if self.mischief.is_on("gap"):
                await asyncio.sleep(_GAP_S)
            return await self._send(request, answer)

        self._app.router.add_route(method, path, answered)

    def raw_route(self, method: str, path: str, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
        """Answer requests with a handler that does its own mischief, such as a stream."""
        self._app.router.add_route(method, path, handler)

    async def _hold_up(self, request: web.Request) -> None:
        for kind in ("http_timeout", "half_open"):
            await self.mischief.over(kind)
        if self.mischief.is_on("drop"):
            await cut_off(request)

    async def _send(self, request: web.Request, answer: Json) -> web.StreamResponse:
        body = answer.body
        if self.takes_once("garbage"):
            body = b'[{"id": \x00\xff this is no JSON'
        date = formatdate(self.now_ms() / 1000, usegmt=True)
        headers = {"Content-Type": "application/json", "Date": date, **answer.headers}
        response = web.StreamResponse(status=answer.status, headers=headers)
        response.content_length = len(body)
        await response.prepare(request)
        if self.takes_once("truncate"):
            await response.write(body[: len(body) // 2])
            await cut_off(request)
        if self.mischief.is_on("drip"):
            for at in range(0, len(body), _DRIP_BYTES):
                await response.write(body[at : at + _DRIP_BYTES])
                if self.mischief.is_on("drip"):
                    await asyncio.sleep(_DRIP_S)
        else:
            await response.write(body)
        await response.write_eof()
        return response

    # -- its own doors --------------------------------------------------------------------------------------------

    async def _misbehave(self, request: web.Request) -> web.Response:
        try:
            asked = orjson.loads(await request.read())
            self.misbehave(str(asked["kind"]), float(asked.get("seconds", 5.0)))
        except (ValueError, KeyError, TypeError) as problem:
            kinds = {kind: KINDS[kind] for kind in sorted(self.mischief.kinds)}
            return web.Response(status=400, body=orjson.dumps({"error": str(problem), "kinds": kinds}))
        return web.Response(body=orjson.dumps({"ok": True}))

    async def _tell_the_truth(self, _request: web.Request) -> web.Response:
        told = [
            {
                "event": market.event.number,
                "name": f"{market.event.home} v {market.event.away}",
                "kind": market.kind,
                "line": market.line,
                "status": market.status,
                "odds": market.odds(),
            }
            for market in self.truth.markets
        ]
        return web.Response(body=orjson.dumps({"tick": self.truth.ticks, "markets": told}))


def cut(request: web.Request) -> None:
    """Cut a connection off in the middle."""
    if request.transport is not None:
        request.transport.abort()


async def cut_off(request: web.Request) -> None:
    """Cut a connection off, and with it whoever answers on it."""
    cut(request)
    await asyncio.Event().wait()
