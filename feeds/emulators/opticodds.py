"""OpticOdds on loopback: fixtures and odds over REST, changes as server-sent events."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from feeds.emulators.core.reordering import Reorderer
from feeds.emulators.core.web import Json, WebEmulator, abort, abort_and_hang
from feeds.emulators.emulator import EmulatorPlugin

if TYPE_CHECKING:
    from feeds.emulators.core.market_model import MarketModel, ModelEvent, ModelMarket

_PING_S: Final = 1.0
_PAGE: Final = 25
_HISTORY: Final = 5_000
_DRIP_BYTES: Final = 64
_DRIP_S: Final = 0.02
_MARKETS: Final = {
    "result": "Moneyline 3-Way",
    "total": "Total Goals",
    "handicap": "Asian Handicap",
    "both": "Both Teams To Score",
}


class OpticOddsEmulator(WebEmulator):
    """Serves the fixtures of one sport, and the odds of any sportsbook that is requested.

    Args:
        market_model: the market it quotes.
        tick_s: real seconds a tick takes; 0: ticks only by `step`.
        ping_s: how often an idle stream sends a ping.
    """

    def __init__(self, market_model: MarketModel, *, tick_s: float = 0.1, ping_s: float = _PING_S) -> None:
        kinds = frozenset({"restart", "gap", "duplicate", "reorder"})
        super().__init__(market_model, kinds, tick_s=tick_s, on_tick=self._publish, on_fault=self._apply_fault)
        self._ping_s = ping_s
        self._streams: set[_Stream] = set()
        self._history: deque[tuple[int, bytes]] = deque(maxlen=_HISTORY)
        self._number = 0
        self._reorderer = Reorderer[tuple[int, bytes]]()
        self.route("GET", "/api/v3/fixtures/active", self._fixtures)
        self.route("GET", "/api/v3/fixtures/odds", self._odds)
        self.stream_route("GET", "/api/v3/stream/odds/{sport}", self._stream)

    def config(self) -> dict[str, Any]:
        """Return the keys a feed's config block needs to reach it."""
        return {"url": self.base_url}

    def _apply_fault(self, kind: str) -> None:
        if kind == "restart":
            self._history.clear()
            self._number += 1_000_000
        if kind in {"drop", "restart"}:
            for stream in list(self._streams):
                stream.abort()
        if kind == "garbage" and self.take_once("garbage"):
            for stream in list(self._streams):
                stream.put(b'event: odds\ndata: {"data": [\x00\xff no JSON\n\n')
        if kind == "truncate" and self.take_once("truncate"):
            for stream in list(self._streams):
                stream.put(b'event: odds\nid: 1\ndata: {"data":[{"id":"12')
                stream.is_ending = True

    # -- REST -----------------------------------------------------------------------------------------------------

    async def _fixtures(self, request: web.Request) -> Json:
        if "X-Api-Key" not in request.headers:
            return Json({"message": "no key"}, 401)
        page = int(request.query.get("page", 1))
        events = self.market_model.events
        fixtures = [
            {
                "id": _fixture_id(event),
                "start_date": datetime.fromtimestamp(event.start_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "home_team_display": event.home,
                "away_team_display": event.away,
                "sport": {"id": "soccer", "name": "Soccer"},
                "league": {"id": event.league_id, "name": event.league},
                "status": "live" if event.in_play else "unplayed",
                "is_live": event.in_play,
                "numerical_id": event.number,
                "game_id": f"{event.number}-1",
                "home_competitors": [{"id": f"h{event.number}", "name": event.home, "abbreviation": None, "logo": None}],
                "away_competitors": [{"id": f"a{event.number}", "name": event.away, "abbreviation": None, "logo": None}],
                "venue_name": None,
                "venue_neutral": False,
                "broadcast": None,
                "weather": None,
                "season_type": "Regular Season",
                "season_year": "2026",
                "has_odds": True,
                "result": None,
            }
            for event in events[(page - 1) * _PAGE : page * _PAGE]
        ]
        return Json({"data": fixtures, "page": page, "total_pages": max(1, -(-len(events) // _PAGE))})

    async def _odds(self, request: web.Request) -> Json:
        wanted = request.query.get("fixture_id", "").split(",")
        books = request.query.get("sportsbook", "").split(",")
        fixtures = [
            {
                "id": _fixture_id(event),
                "odds": [entry for market in event.markets if market.status == "open" for entry in self._entries(market, books)],
            }
            for event in self.market_model.events
            if _fixture_id(event) in wanted
        ]
        return Json({"data": fixtures})

    # -- the stream -----------------------------------------------------------------------------------------------

    def _publish(self, changed: list[ModelMarket]) -> None:
        if self.faults.is_active("stall"):
            return
        events = [self._event(market) for market in changed]
        self._history.extend(events)
        for _, event in self._reorderer.push(events, swap=self.faults.is_active("reorder")):
            for stream in self._streams:
                stream.put(event)
                if self.faults.is_active("duplicate"):
                    stream.put(event)

    def _event(self, market: ModelMarket) -> tuple[int, bytes]:
        self._number += 1
        kind = "odds" if market.status == "open" else "locked-odds"
        entry_id = f"{self.now_ms()}-{self._number}"
        books = sorted({book for stream in self._streams for book in stream.books}) or ["pinnacle"]
        data = orjson.dumps({"data": self._entries(market, books), "entry_id": entry_id, "type": kind})
        return self._number, f"event: {kind}\nid: {entry_id}\nretry: 5000\n".encode() + b"data: " + data + b"\n\n"

    def _entries(self, market: ModelMarket, books: list[str]) -> list[dict[str, Any]]:
        event = market.event
        home, away = event.home, event.away
        entries = []
        for role, odds in market.odds().items():
            points = None if market.line is None else -market.line if role == "away" else market.line
            name = {"home": home, "away": away, "draw": "Draw", "yes": "Yes", "no": "No"}.get(role, role.title())
            name = name if points is None else f"{name} {points:+g}" if market.kind == "handicap" else f"{name} {points:g}"
            entries += [
                {
                    "id": f"{_fixture_id(event)}:{book}:{market.kind}:{market.line}:{role}",
                    "fixture_id": _fixture_id(event),
                    "sportsbook": book,
                    "market": _MARKETS[market.kind],
                    "name": name,
                    "selection": "" if role in {"over", "under"} else {"home": home, "away": away}.get(role, role.title()),
                    "normalized_selection": name.lower().replace(" ", "_"),
                    "selection_line": role if role in {"over", "under"} else None,
                    "grouping_key": f"default:{points:g}" if points is not None else "default",
                    "price": odds,
                    "points": points,
                    "is_main": True,
                    "is_live": event.in_play,
                    "timestamp": self.now_ms() / 1000,
                    "market_id": _MARKETS[market.kind].lower().replace(" ", "_"),
                    "sportsbook_id": book,
                    "league_id": event.league_id,
                    "player_id": None,
                    "team_id": {"home": f"h{event.number}", "away": f"a{event.number}"}.get(role),
                    "deep_link": None,
                    "limits": {"max_stake": 1_000},
                    "order_book": None,
                }
                for book in books
            ]
        return entries

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        refusal = await self.refuse_stream(request, has_key="X-Api-Key" in request.headers)
        if refusal is not None:
            return refusal
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        stream = _Stream(request, request.query.get("sportsbook", "pinnacle").split(","))
        last = request.query.get("last_entry_id", "").rpartition("-")[2]
        for number, event in self._history if last.isdigit() else ():
            if number > int(last):
                stream.put(event)
        self._streams.add(stream)
        try:
            while not (stream.is_ending and stream.queue.empty()):
                await self._write(response, await stream.next(self._ping_s))
            await abort_and_hang(request)
        except OSError:
            pass  # the subscriber closed the connection
        finally:
            self._streams.discard(stream)
        return response

    async def _write(self, response: web.StreamResponse, event: bytes) -> None:
        if self.faults.is_active("half_open"):
            return
        step = _DRIP_BYTES if self.faults.is_active("drip") else len(event)
        for at in range(0, len(event), step):
            await response.write(event[at : at + step])
            if step < len(event):
                await asyncio.sleep(_DRIP_S)


class _Stream:
    """One subscriber's stream. `is_ending`: its connection is aborted once the queue is empty."""

    def __init__(self, request: web.Request, books: list[str]) -> None:
        self._request = request
        self.books = books
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.is_ending = False

    def put(self, event: bytes) -> None:
        self.queue.put_nowait(event)

    async def next(self, ping_s: float) -> bytes:
        """Wait for the next event; return a ping after `ping_s` without one."""
        try:
            async with asyncio.timeout(ping_s):
                return await self.queue.get()
        except TimeoutError:
            return b"event: ping\ndata: {}\n\n"

    def abort(self) -> None:
        abort(self._request)


def _fixture_id(event: ModelEvent) -> str:
    return f"fx{event.number:05d}"


EMULATOR = EmulatorPlugin(OpticOddsEmulator, {"OPTICODDS_API_KEY": "emulated"})
