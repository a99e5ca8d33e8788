"""The emulated Betfair: a stream server over a market model, and the HTTP side of an account."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from feeds.emulators.betfair.exchange import EmulatedExchange
from feeds.emulators.betfair.stream_server import StreamServer
from feeds.emulators.core.market_model import TICK_S
from feeds.emulators.core.web import Json, WebEmulator
from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    import ssl

    from aiohttp import web

    from feeds.emulators.core.market_model import MarketModel


class BetfairEmulator:
    """Quotes a market model as Betfair does: order books around the fair odds, and no names on the stream.

    Args:
        market_model: the market it quotes.
        tick_s: real seconds a tick takes; 0: ticks only by `stream.step`.
    """

    def __init__(self, market_model: MarketModel, *, tick_s: float = TICK_S) -> None:
        self.market_model = market_model
        self.exchange = EmulatedExchange(market_model)
        self.stream = StreamServer(self.exchange, time.monotonic, tick_s=tick_s)
        self.web = WebEmulator(market_model, tick_s=0.0)
        self.token = "emulated-session"  # noqa: S105 - of an emulator
        self._ticking: list[asyncio.Task[None]] = []
        self._tick_s = tick_s
        self.web.route("POST", "/api/certlogin", self._login)
        self.web.route("POST", "/api/keepAlive", self._keep_alive)
        self.web.route("POST", "/rest/listMarketCatalogue/", self._catalogue)

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Start listening: the stream on `port` (0: a free one), HTTP on another."""
        await self.stream.start(host, port, tls)
        await self.web.start(host, 0, tls)
        if self._tick_s:
            self._ticking.append(asyncio.create_task(self.stream.run(), name="ticks"))

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        await end_tasks(self._ticking)
        self._ticking.clear()
        await self.stream.stop()
        await self.web.stop()

    @property
    def port(self) -> int:
        """The port of the stream."""
        return self.stream.port

    @property
    def fault_kinds(self) -> frozenset[str]:
        """The faults it can inject."""
        return self.stream.fault_kinds

    def inject_fault(self, kind: str, seconds: float = 5.0) -> None:
        """Start a fault, once or for a while. Raises ValueError if `kind` is not supported."""
        self.stream.inject_fault(kind, seconds)

    def fault_command(self, host: str) -> str:
        """Return a shell command that injects a fault from outside."""
        command = '{"op":"misbehave","kind":"stall","seconds":10}'
        return f"printf '{command}\\r\\n' | nc -N {host} {self.port}"

    def pause(self, *, paused: bool) -> None:
        """Freeze the market model, or resume it; heartbeats continue."""
        self.stream.paused = paused

    def config(self) -> dict[str, Any]:
        """Return the keys a feed's config block needs to reach it."""
        http = self.web.base_url
        return {
            "host": "127.0.0.1",
            "port": self.stream.port,
            "tls": self.web.scheme == "https",
            "api_url": f"{http}/rest",
            "login_url": f"{http}/api/certlogin",
            "keep_alive_url": f"{http}/api/keepAlive",
            "heartbeat_ms": 500,
        }

    # -- HTTP -----------------------------------------------------------------------------------------------------

    async def _login(self, request: web.Request) -> Json:
        form = await request.post()
        if not form.get("username") or not form.get("password"):
            return Json({"loginStatus": "INVALID_USERNAME_OR_PASSWORD"})
        return Json({"sessionToken": self.token, "loginStatus": "SUCCESS"})

    async def _keep_alive(self, request: web.Request) -> Json:
        if request.headers.get("X-Authentication") != self.token:
            return Json({"token": "", "status": "FAIL", "error": "NO_SESSION"})
        return Json({"token": self.token, "status": "SUCCESS", "error": ""})

    async def _catalogue(self, request: web.Request) -> Json:
        if request.headers.get("X-Authentication") != self.token:
            return Json({"faultcode": "Client", "detail": "INVALID_SESSION_INFORMATION"}, 400)
        wanted = (await request.json())["filter"]["marketIds"]
        return Json([market.catalogue for market in self.exchange.markets if market.id in wanted])
