"""Odds-API.io on loopback: events and odds over REST, changed market lists over a WebSocket."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from feeds.emulators.core.web import Json, WebEmulator, cut, cut_off
from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    from feeds.emulators.core.market_model import TrueEvent, TrueMarket, Truth

_NAMES: Final = {"result": "ML", "total": "Totals", "handicap": "Spread", "both": "Both Teams To Score"}


class OddsApiIoEmulator(WebEmulator):
    """Serves one sport's events and odds of whatever bookmakers are asked for.

    Args:
        truth: what it tells.
        bookmakers: whose odds the stream tells.
        tick_s: real seconds a tick takes; 0: only when told.
    """

    def __init__(self, truth: Truth, bookmakers: tuple[str, ...] = ("Bet365",), *, tick_s: float = 0.1) -> None:
        kinds = frozenset({"gap", "duplicate", "reorder", "restart"})
        super().__init__(truth, kinds, tick_s=tick_s, on_tick=self._tell, on_mischief=self._mischief)
        self._bookmakers = bookmakers
        self._sockets: dict[web.WebSocketResponse, web.Request] = {}
        self._queues: dict[web.WebSocketResponse, asyncio.Queue[str]] = {}
        self._held: list[str] = []
        self.route("GET", "/v3/events", self._events)
        self.route("GET", "/v3/odds/multi", self._odds)
        self.raw_route("GET", "/v3/ws", self._socket)

    def config(self) -> dict[str, Any]:
        """Give what a feed's config block needs to reach it."""
        return {"url": self.base_url, "stream_url": f"{self.base_url.replace('http', 'ws', 1)}/v3/ws"}

    def _mischief(self, kind: str) -> None:
        if kind in {"drop", "restart"}:
            for request in list(self._sockets.values()):
                cut(request)
        if kind == "garbage" and self.takes_once("garbage"):
            self._put('{"type":"updated","id": this is no JSON')
        if kind == "truncate" and self.takes_once("truncate"):
            self._put('{"type":"updated","id":"7","bookie":"Bet')
        if kind == "half_open":
            # Not even pings are answered any more: nothing is read.
            for request in self._sockets.values():
                if request.transport is not None:
                    request.transport.pause_reading()

    async def _events(self, request: web.Request) -> Json:
        if "apiKey" not in request.query:
            return Json({"error": "no key"}, 401)
        return Json(
            [
                {
                    "id": 70_000 + event.number,
                    "home": event.home,
                    "away": event.away,
                    "date": _iso(event.start_ms),
                    "sport": {"name": "Football", "slug": "football"},
                    "league": {"name": event.league, "slug": f"league-{event.league_id}"},
                    "status": "live" if event.in_play else "pending",
                }
                for event in self.truth.events
            ]
        )

    async def _odds(self, request: web.Request) -> Json:
        wanted = {int(each) for each in request.query.get("eventIds", "").split(",") if each.isdigit()}
        bookmakers = request.query.get("bookmakers", "Bet365").split(",")
        return Json(
            [
                {
                    "id": 70_000 + event.number,
                    "home": event.home,
                    "away": event.away,
                    "bookmakers": {bookmaker: self._markets(event) for bookmaker in bookmakers},
                }
                for event in self.truth.events
                if 70_000 + event.number in wanted
            ]
        )

    def _markets(self, event: TrueEvent) -> list[dict[str, Any]]:
        markets: dict[str, dict[str, Any]] = {}
        for market in event.markets:
            if market.status == "open":
                told = markets.setdefault(
                    _NAMES[market.kind],
                    {"name": _NAMES[market.kind], "updatedAt": _iso(self.now_ms(), "milliseconds"), "odds": []},
                )
                line = {} if market.line is None else {"hdp": market.line}
                told["odds"].append({**line, **{role: f"{odds:.2f}" for role, odds in market.odds().items()}})
        return list(markets.values())

    def _tell(self, changed: list[TrueMarket]) -> None:
        if self.mischief.is_on("stall") or not changed:
            return
        events = list(dict.fromkeys(market.event for market in changed))
        lines = [
            orjson.dumps(
                {
                    "type": "updated" if (markets := self._markets(event)) else "no_markets",
                    "id": str(70_000 + event.number),
                    "bookie": bookmaker,
                    "timestamp": self.now_ms(),
                    "markets": markets,
                }
            ).decode()
            for event in events
            for bookmaker in self._bookmakers
        ]
        if self.mischief.is_on("reorder"):
            if not self._held:
                self._held = lines
                return
            lines, self._held = [*lines, *self._held], []
        elif self._held:
            lines, self._held = [*self._held, *lines], []
        for _ in range(2 if self.mischief.is_on("duplicate") else 1):
            self._put("\n".join(lines))

    def _put(self, text: str) -> None:
        for queue in self._queues.values():
            queue.put_nowait(text)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        mischief = self.mischief
        await mischief.over("half_open")
        if mischief.is_on("drop"):
            await cut_off(request)
        if "apiKey" not in request.query or mischief.is_on("unauthorised"):
            return web.Response(status=401, text="invalid key")
        for kind, status in (("http_500", 500), ("http_429", 429)):
            if mischief.is_on(kind):
                return web.Response(status=status, text=kind)
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._sockets[socket], self._queues[socket] = request, queue
        queue.put_nowait('{"type":"welcome"}')
        writing = asyncio.create_task(self._write(socket, queue))
        try:
            async for _ in socket:
                pass  # pings are answered by reading
        finally:
            await end_tasks([writing])
            del self._sockets[socket], self._queues[socket]
        return socket

    async def _write(self, socket: web.WebSocketResponse, queue: asyncio.Queue[str]) -> None:
        while True:
            text = await queue.get()
            if not self.mischief.is_on("half_open"):
                try:
                    await socket.send_str(text)
                except (OSError, RuntimeError):
                    return  # the subscriber went away


def _iso(ms: int, timespec: str = "seconds") -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
