"""Betfair on loopback: the stream over TCP or TLS, and login, keep-alive and catalogue over HTTP."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from feeds.emulators.betfair.stream_server import StreamServer
from feeds.emulators.core.market_model import TICK_S
from feeds.emulators.core.web import Json, WebEmulator
from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.tasks import end_tasks
from oddsengine.domain.ladders import BETFAIR

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from aiohttp import web

    from feeds.emulators.core.market_model import TrueEvent, TrueMarket, Truth

_DRAW: Final = 58805
_HALF_SPREAD: Final = 0.004
_SIZE: Final = 100.0
_SKEW_MS: Final = 180_000


class EmulatedMarket:
    """One market as the exchange shows it."""

    def __init__(self, truth: TrueMarket, number: int) -> None:
        self.truth = truth
        self.id = f"1.{20_000_000 + truth.event.number * 100 + number}"
        self.version = 1
        self.books: dict[int, tuple[tuple[float, float], tuple[float, float]]] = {}

    @property
    def runners(self) -> dict[int, str]:
        """Runner ids in their order, with their roles."""
        event = self.truth.event
        if self.truth.kind == "result":
            return {event.number * 2 + 1000: "home", event.number * 2 + 1001: "away", _DRAW: "draw"}
        if self.truth.kind == "both":
            return {30246: "yes", 110503: "no"}
        first = 47_000 + round((self.truth.line or 0.0) * 10)
        return {first: "under", first + 1: "over"}

    @property
    def definition(self) -> dict[str, Any]:
        """The market's definition in the provider's words."""
        event = self.truth.event
        line = self.truth.line or 0.0
        types = {"result": "MATCH_ODDS", "both": "BOTH_TEAMS_TO_SCORE", "total": f"OVER_UNDER_{round(line * 10)}"}
        return {
            "version": self.version,
            "status": "OPEN" if self.truth.status == "open" else "SUSPENDED",
            "inPlay": event.in_play,
            "eventId": str(29_000_000 + event.number),
            "eventTypeId": "1",
            "marketType": types[self.truth.kind],
            "bettingType": "ODDS",
            "marketTime": _iso(event.start_ms),
            "numberOfWinners": 1,
            "runners": [
                {"id": runner, "sortPriority": place, "status": "ACTIVE"} for place, runner in enumerate(self.runners, 1)
            ],
        }


class EmulatedExchange:
    """A truth as the exchange trades it.

    Args:
        truth: what is traded; its handicaps are left out, which on Betfair are another kind of market.
    """

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        self.markets = [
            EmulatedMarket(market, number)
            for event in truth.events
            for number, market in enumerate(event.markets)
            if market.kind != "handicap"
        ]
        self._of = {market.truth: market for market in self.markets}
        #: whether the clock is wrong
        self.is_skewed: Callable[[], bool] = lambda: False
        for market in self.markets:
            self._requote(market)

    @property
    def ticks(self) -> int:
        """How many ticks have passed."""
        return self._truth.ticks

    @property
    def pt_ms(self) -> int:
        """The publish time, as this provider has it."""
        skew = _SKEW_MS if self.is_skewed() else 0
        return wall_clock_ms() - skew

    def tick(self) -> list[dict[str, Any]]:
        """Go one tick on and give the market changes it brings."""
        changes = []
        for changed in self._truth.tick():
            market = self._of.get(changed)
            if market is None:
                continue
            before = dict(market.books)
            self._requote(market)
            rows = [
                {"id": runner, "batb": [(0, *back)], "batl": [(0, *lay)]}
                for runner, (back, lay) in market.books.items()
                if before.get(runner) != (back, lay)
            ]
            change: dict[str, Any] = {"id": market.id}
            if rows:
                change["rc"] = rows
            market.version += 1
            change["marketDefinition"] = market.definition
            changes.append(change)
        return changes

    def image(self, market: EmulatedMarket) -> dict[str, Any]:
        """Describe a market whole."""
        return {
            "id": market.id,
            "img": True,
            "marketDefinition": market.definition,
            "rc": [{"id": runner, "batb": [(0, *back)], "batl": [(0, *lay)]} for runner, (back, lay) in market.books.items()],
        }

    @staticmethod
    def _requote(market: EmulatedMarket) -> None:
        ticks = BETFAIR.ticks
        for runner, role in market.runners.items():
            fair = 1000 / max(market.truth.probabilities[role], 1e-3)
            back = BETFAIR.at_or_below(fair * (1 - _HALF_SPREAD)) or ticks[0]
            lay = max(
                BETFAIR.at_or_above(fair * (1 + _HALF_SPREAD)) or ticks[-1], ticks[min(ticks.index(back) + 1, len(ticks) - 1)]
            )
            market.books[runner] = ((back / 1000, _SIZE), (lay / 1000, _SIZE))


class BetfairEmulator:
    """Serves a truth as Betfair does: no names on the stream, order books around the fair odds.

    Args:
        truth: what it tells.
        tick_s: real seconds a tick takes; 0: only when told.
    """

    def __init__(self, truth: Truth, *, tick_s: float = TICK_S) -> None:
        self.truth = truth
        self.exchange = EmulatedExchange(truth)
        self.stream = StreamServer(self.exchange, time.monotonic, tick_s=tick_s)
        self.exchange.is_skewed = lambda: self.stream.is_on("skew")
        self.web = WebEmulator(truth, tick_s=0.0)
        self.token = "emulated-session"  # noqa: S105 - of an emulator
        self.keep_alives = 0
        self._ticking: list[asyncio.Task[None]] = []
        self._tick_s = tick_s
        self.web.route("POST", "/api/certlogin", self._login)
        self.web.route("POST", "/api/keepAlive", self._keep_alive)
        self.web.route("POST", "/rest/listMarketCatalogue/", self._catalogue)

    async def start(self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Begin to listen, the stream on `port` (0: a free one), HTTP on another."""
        await self.stream.start(host, port, tls)
        await self.web.start(host, 0, tls)
        if self._tick_s:
            self._ticking.append(asyncio.create_task(self.stream.run(), name="ticks"))

    async def stop(self) -> None:
        """Close everything."""
        await end_tasks(self._ticking)
        self._ticking.clear()
        await self.stream.stop()
        await self.web.stop()

    @property
    def port(self) -> int:
        """The port of the stream."""
        return self.stream.port

    @property
    def kinds(self) -> frozenset[str]:
        """Name what it can do wrong."""
        return self.stream.kinds

    def misbehave(self, kind: str, seconds: float = 5.0) -> None:
        """Do something wrong, once or for a while. Raises ValueError if `kind` is not one it understands."""
        self.stream.misbehave(kind, seconds)

    def pause(self, *, paused: bool) -> None:
        """Let the truth stand still, or move again; heartbeats go on."""
        self.stream.paused = paused

    def config(self) -> dict[str, Any]:
        """Give what a feed's config block needs to reach it."""
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
        self.keep_alives += 1
        return Json({"token": self.token, "status": "SUCCESS", "error": ""})

    async def _catalogue(self, request: web.Request) -> Json:
        if request.headers.get("X-Authentication") != self.token:
            return Json({"faultcode": "Client", "detail": "INVALID_SESSION_INFORMATION"}, 400)
        wanted = (await request.json())["filter"]["marketIds"]
        return Json([_catalogued(market) for market in self.exchange.markets if market.id in wanted])


def _catalogued(market: EmulatedMarket) -> dict[str, Any]:
    event: TrueEvent = market.truth.event
    names = {"home": event.home, "away": event.away, "draw": "The Draw"}
    return {
        "marketId": market.id,
        "marketName": market.truth.kind,
        "competition": {"id": event.league_id, "name": event.league},
        "event": {"id": str(29_000_000 + event.number), "name": f"{event.home} v {event.away}"},
        "runners": [
            {"selectionId": runner, "runnerName": names.get(role, role.title()), "handicap": 0.0}
            for runner, role in market.runners.items()
        ],
    }


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
