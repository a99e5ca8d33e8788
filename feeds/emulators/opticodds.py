"""OpticOdds on loopback: fixtures and odds over REST, changes as server-sent events."""

from __future__ import annotations

import asyncio
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from feeds.emulators.core.web import Json, WebEmulator, cut, cut_off

if TYPE_CHECKING:
    from feeds.emulators.core.market_model import TrueEvent, TrueMarket, Truth

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
    """Serves one sport's fixtures and odds of whatever sportsbooks are asked for.

    Args:
        truth: what it tells.
        tick_s: real seconds a tick takes; 0: only when told.
        ping_s: how often a silent stream pings.
    """

    def __init__(self, truth: Truth, *, tick_s: float = 0.1, ping_s: float = _PING_S) -> None:
        kinds = frozenset({"restart", "gap", "duplicate", "reorder"})
        super().__init__(truth, kinds, tick_s=tick_s, on_tick=self._tell, on_mischief=self._mischief)
        self._ping_s = ping_s
        self._streams: set[_Stream] = set()
        self._history: deque[tuple[int, bytes]] = deque(maxlen=_HISTORY)
        self._number = 0
        self._held: list[tuple[int, bytes]] = []
        self.route("GET", "/api/v3/fixtures/active", self._fixtures)
        self.route("GET", "/api/v3/fixtures/odds", self._odds)
        self.raw_route("GET", "/api/v3/stream/odds/{sport}", self._stream)

    def config(self) -> dict[str, Any]:
        """Give what a feed's config block needs to reach it."""
        return {"url": self.base_url}

    def _mischief(self, kind: str) -> None:
        if kind == "restart":
            self._history.clear()
            self._number += 1_000_000
        if kind in {"drop", "restart"}:
            for stream in list(self._streams):
                stream.cut()
        if kind == "garbage" and self.takes_once("garbage"):
            for stream in list(self._streams):
                stream.put(b'event: odds\ndata: {"data": [\x00\xff no JSON\n\n')
        if kind == "truncate" and self.takes_once("truncate"):
            for stream in list(self._streams):
                stream.put(b'event: odds\nid: 1\ndata: {"data":[{"id":"12')
                stream.ends = True

    # -- REST -----------------------------------------------------------------------------------------------------

    async def _fixtures(self, request: web.Request) -> Json:
        if "X-Api-Key" not in request.headers:
            return Json({"message": "no key"}, 401)
        page = int(request.query.get("page", 1))
        events = self.truth.events
        told = [
            {
                "id": _fixture_id(event),
                "start_date": datetime.fromtimestamp(event.start_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "home_team_display": event.home,
                "away_team_display": event.away,
                "sport": {"id": "soccer", "name": "Soccer"},
                "league": {"id": event.league_id, "name": event.league},
                "status": "live" if event.in_play else "unplayed",
                "is_live": event.in_play,
            }
            for event in events[(page - 1) * _PAGE : page * _PAGE]
        ]
        return Json({"data": told, "page": page, "total_pages": max(1, -(-len(events) // _PAGE))})

    async def _odds(self, request: web.Request) -> Json:
        wanted = request.query.get("fixture_id", "").split(",")
        books = request.query.get("sportsbook", "").split(",")
        told = [
            {
                "id": _fixture_id(event),
                "odds": [entry for market in event.markets if market.status == "open" for entry in self._entries(market, books)],
            }
            for event in self.truth.events
            if _fixture_id(event) in wanted
        ]
        return Json({"data": told})

    # -- the stream -----------------------------------------------------------------------------------------------

    def _tell(self, changed: list[TrueMarket]) -> None:
        if self.mischief.is_on("stall"):
            return
        events: list[tuple[int, bytes]] = []
        for market in changed:
            self._number += 1
            kind = "odds" if market.status == "open" else "locked-odds"
            identity = f"{self.now_ms()}-{self._number}"
            books = sorted({book for stream in self._streams for book in stream.books}) or ["pinnacle"]
            data = {"data": self._entries(market, books), "entry_id": identity, "type": kind}
            events.append(
                (
                    self._number,
                    f"event: {kind}\nid: {identity}\nretry: 5000\n".encode() + b"data: " + orjson.dumps(data) + b"\n\n",
                )
            )
        self._history.extend(events)
        if self.mischief.is_on("reorder"):
            if not self._held:
                self._held = events
                return
            events, self._held = [*events, *self._held], []
        elif self._held:
            events, self._held = [*self._held, *events], []
        for _, event in events:
            for stream in self._streams:
                stream.put(event)
                if self.mischief.is_on("duplicate"):
                    stream.put(event)

    def _entries(self, market: TrueMarket, books: list[str]) -> list[dict[str, Any]]:
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
                    "price": odds,
                    "points": points,
                    "is_main": True,
                    "is_live": event.in_play,
                    "timestamp": self.now_ms() / 1000,
                }
                for book in books
            ]
        return entries

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        refusal = await self._refused(request)
        if refusal is not None:
            return refusal
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        stream = _Stream(request, request.query.get("sportsbook", "pinnacle").split(","))
        number = request.query.get("last_entry_id", "").rpartition("-")[2]
        for known, event in self._history if number.isdigit() else ():
            if known > int(number):
                stream.put(event)
        self._streams.add(stream)
        try:
            while not (stream.ends and stream.queue.empty()):
                await self._write(response, await stream.next(self._ping_s))
            await cut_off(request)
        except OSError:
            pass  # the subscriber went away
        finally:
            self._streams.discard(stream)
        return response

    async def _refused(self, request: web.Request) -> web.Response | None:
        await self.mischief.over("half_open")
        if self.mischief.is_on("drop"):
            await cut_off(request)
        if "X-Api-Key" not in request.headers or self.mischief.is_on("unauthorised"):
            return web.Response(status=401, text="invalid key")
        for kind, status in (("http_500", 500), ("http_429", 429)):
            if self.mischief.is_on(kind):
                return web.Response(status=status, text=kind)
        return None

    async def _write(self, response: web.StreamResponse, event: bytes) -> None:
        if self.mischief.is_on("half_open"):
            return
        step = _DRIP_BYTES if self.mischief.is_on("drip") else len(event)
        for at in range(0, len(event), step):
            await response.write(event[at : at + step])
            if step < len(event):
                await asyncio.sleep(_DRIP_S)


class _Stream:
    def __init__(self, request: web.Request, books: list[str]) -> None:
        self._request = request
        self.books = books
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()
        self.ends = False

    def put(self, event: bytes) -> None:
        self.queue.put_nowait(event)

    async def next(self, ping_s: float) -> bytes:
        """Wait for what is to be said, or for it to be time for a ping."""
        try:
            async with asyncio.timeout(ping_s):
                return await self.queue.get()
        except TimeoutError:
            return b"event: ping\ndata: {}\n\n"

    def cut(self) -> None:
        cut(self._request)


def _fixture_id(event: TrueEvent) -> str:
    return f"fx{event.number:05d}"
