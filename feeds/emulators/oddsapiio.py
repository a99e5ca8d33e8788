"""Odds-API.io on loopback: events and odds over REST, changed market lists over a WebSocket."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from feeds.emulators.core.reordering import Reorderer
from feeds.emulators.core.web import Json, WebEmulator, abort
from feeds.emulators.emulator import EmulatorPlugin
from oddsengine.common.clock import iso_time
from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    from feeds.emulators.core.market_model import MarketModel, ModelEvent, ModelMarket

_NAMES: Final = {"result": "ML", "total": "Totals", "handicap": "Spread", "both": "Both Teams To Score"}


class OddsApiIoEmulator(WebEmulator):
    """Serves the events of one sport, and the odds of any bookmaker that is requested.

    Args:
        market_model: the market it quotes.
        bookmakers: the bookmakers on the stream.
        tick_s: real seconds a tick takes; 0: ticks only by `step`.
    """

    def __init__(self, market_model: MarketModel, bookmakers: tuple[str, ...] = ("Bet365",), *, tick_s: float = 0.1) -> None:
        kinds = frozenset({"gap", "duplicate", "reorder", "restart", "bad_line"})
        super().__init__(market_model, kinds, tick_s=tick_s, on_tick=self._publish, on_fault=self._apply_fault)
        self._bookmakers = bookmakers
        self._sockets: dict[web.WebSocketResponse, web.Request] = {}
        self._queues: dict[web.WebSocketResponse, asyncio.Queue[str]] = {}
        self._reorderer = Reorderer[str]()
        self.route("GET", "/v3/events", self._events)
        self.route("GET", "/v3/odds/multi", self._odds)
        self.stream_route("GET", "/v3/ws", self._socket)

    def config(self) -> dict[str, Any]:
        """Return the keys a feed's config block needs to reach it."""
        return {"url": self.base_url, "stream_url": f"{self.base_url.replace('http', 'ws', 1)}/v3/ws"}

    def _apply_fault(self, kind: str) -> None:
        if kind in {"drop", "restart"}:
            for request in list(self._sockets.values()):
                abort(request)
        if kind == "garbage" and self.take_once("garbage"):
            self._send_all('{"type":"updated","id": this is no JSON')
        if kind == "truncate" and self.take_once("truncate"):
            self._send_all('{"type":"updated","id":"7","bookie":"Bet')
        if kind == "half_open":
            # Not even pings are answered, because nothing is read any more.
            for request in self._sockets.values():
                if request.transport is not None:
                    request.transport.pause_reading()

    # -- REST -----------------------------------------------------------------------------------------------------

    async def _events(self, request: web.Request) -> Json:
        if "apiKey" not in request.query:
            return Json({"error": "no key"}, 401)
        return Json(
            [
                {
                    "id": 70_000 + event.number,
                    "home": event.home,
                    "away": event.away,
                    "date": iso_time(event.start_ms),
                    "sport": {"name": "Football", "slug": "football"},
                    "league": {"name": event.league, "slug": f"league-{event.league_id}"},
                    "status": "live" if event.in_play else "pending",
                    "homeId": 2 * event.number,
                    "awayId": 2 * event.number + 1,
                    "scores": {"home": 0, "away": 0},
                }
                for event in self.market_model.events
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
                for event in self.market_model.events
                if 70_000 + event.number in wanted
            ]
        )

    def _markets(self, event: ModelEvent) -> list[dict[str, Any]]:
        markets: dict[str, dict[str, Any]] = {}
        for market in event.markets:
            if market.status == "open":
                quoted = markets.setdefault(
                    _NAMES[market.kind],
                    {"name": _NAMES[market.kind], "updatedAt": iso_time(self.now_ms(), "milliseconds"), "odds": []},
                )
                line = {} if market.line is None else {"hdp": market.line}
                prices = {role: f"{odds:.2f}" for role, odds in market.odds().items()}
                quoted["odds"].append({**line, **prices, "max": 500, "label": None, "betslipUrl": None})
                if self.faults.is_active("bad_line") and market.line is not None:
                    quoted["odds"].append({"hdp": "NaN", "over": "1.90", "under": "1.90", "home": "1.90", "away": "1.90"})
        return list(markets.values())

    # -- the stream -----------------------------------------------------------------------------------------------

    def _publish(self, changed: list[ModelMarket]) -> None:
        if self.faults.is_active("stall") or not changed:
            return
        events = list(dict.fromkeys(market.event for market in changed))
        lines = [
            orjson.dumps(
                {
                    "type": "updated" if (markets := self._markets(event)) else "no_markets",
                    "id": str(70_000 + event.number),
                    "bookie": bookmaker,
                    "timestamp": self.now_ms(),
                    "url": f"https://{bookmaker.lower()}.example/{event.number}",
                    "seq": self.market_model.ticks,
                    "markets": markets,
                }
            ).decode()
            for event in events
            for bookmaker in self._bookmakers
        ]
        lines = self._reorderer.push(lines, swap=self.faults.is_active("reorder"))
        if not lines:
            return
        for _ in range(2 if self.faults.is_active("duplicate") else 1):
            self._send_all("\n".join(lines))

    def _send_all(self, text: str) -> None:
        for queue in self._queues.values():
            queue.put_nowait(text)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        refusal = await self.refuse_stream(request, has_key="apiKey" in request.query)
        if refusal is not None:
            return refusal
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._sockets[socket], self._queues[socket] = request, queue
        queue.put_nowait('{"type":"welcome","bookmakers":["Bet365"],"sport_filter":["football"],"status_filter":"all"}')
        writing = asyncio.create_task(self._write(socket, queue))
        try:
            async for _ in socket:
                pass  # reading is what answers pings
        finally:
            await end_tasks([writing])
            del self._sockets[socket], self._queues[socket]
        return socket

    async def _write(self, socket: web.WebSocketResponse, queue: asyncio.Queue[str]) -> None:
        while True:
            text = await queue.get()
            if not self.faults.is_active("half_open"):
                try:
                    await socket.send_str(text)
                except (OSError, RuntimeError):
                    return  # the subscriber closed the connection


EMULATOR = EmulatorPlugin(OddsApiIoEmulator, {"ODDS_API_IO_KEY": "emulated"})
