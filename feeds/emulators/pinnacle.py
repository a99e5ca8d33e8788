"""Pinnacle's lines API on loopback: fixtures and odds with cursors, and a cached snapshot."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from feeds.emulators.core.goals import Outlook, Score
from feeds.emulators.core.web import Json, WebEmulator
from feeds.emulators.emulator import EmulatorPlugin
from oddsengine.common.clock import iso_time

if TYPE_CHECKING:
    from aiohttp import web

    from feeds.emulators.core.market_model import MarketModel, ModelEvent

_SPORT: Final = 29
_MARGIN: Final = 0.05
_CUTOFF_MS: Final = 5 * 3_600_000
#: The ids of a match's fixtures: before it, and live.
_PRE_MATCH: Final = 500_000
_LIVE: Final = 600_000


class PinnacleEmulator(WebEmulator):
    """Serves fixtures and odds of football.

    Args:
        market_model: the market it quotes.
        cache_s: how long a snapshot (a call without `since`) is cached.
        min_interval_s: how soon an endpoint may be called again before it answers 429; 0: without a limit.
        tick_s: real seconds a tick takes; 0: ticks only by `step`.
    """

    def __init__(
        self, market_model: MarketModel, *, cache_s: float = 1.0, min_interval_s: float = 0.0, tick_s: float = 0.1
    ) -> None:
        super().__init__(market_model, frozenset({"restart"}), tick_s=tick_s, on_fault=self._apply_fault)
        self._cache_s = cache_s
        self._min_interval_s = min_interval_s
        self._cached: tuple[float, dict[str, Any]] | None = None
        self._last_call: dict[str, float] = {}
        #: a cursor below this is from before a restart, and is answered with a snapshot
        self._first_cursor = 1_000
        self._first_tick = 0
        self.route("GET", "/v1/fixtures", self._fixtures)
        self.route("GET", "/v2/odds", self._odds)

    def config(self) -> dict[str, Any]:
        """Return the keys a feed's config block needs to reach it."""
        return {"url": self.base_url, "interval_s": 1.0}

    def _apply_fault(self, kind: str) -> None:
        if kind == "restart":
            self._first_cursor += 10_000_000
            self._first_tick = self.market_model.ticks
            self._cached = None

    def _cursor(self) -> int:
        return self._first_cursor + self.market_model.ticks - self._first_tick

    def _since(self, request: web.Request) -> int | None:
        """Return the tick after which changes are requested; None for a snapshot."""
        since = request.query.get("since")
        if since is None or int(since) < self._first_cursor:
            return None
        return int(since) - self._first_cursor + self._first_tick

    def _refusal(self, request: web.Request) -> Json | None:
        if not request.headers.get("Authorization", "").startswith("Basic "):
            return Json({"code": "INVALID_CREDENTIALS"}, 401)
        now = time.monotonic()
        key = f"{request.path}?{request.query.get('sportId')}"
        too_soon = now - self._last_call.get(key, float("-inf")) < self._min_interval_s
        self._last_call[key] = now
        return Json({"code": "TOO_MANY_REQUESTS"}, 429) if too_soon else None

    async def _fixtures(self, request: web.Request) -> Json:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        since = self._since(request)
        if since is not None:
            return Json(b"")
        leagues: dict[str, dict[str, Any]] = {}
        for event in self.market_model.events:
            league = leagues.setdefault(event.league_id, {"id": int(event.league_id), "name": event.league, "events": []})
            league["events"] += _fixtures_of(event)
        return Json({"sportId": _SPORT, "last": self._cursor(), "league": list(leagues.values())})

    async def _odds(self, request: web.Request) -> Json:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        since = self._since(request)
        if since is None:
            now = time.monotonic()
            if self._cached is None or now - self._cached[0] > self._cache_s:
                self._cached = (now, self._quotes(self.market_model.events))
            return Json(self._cached[1])
        if self.faults.is_active("stall"):
            return Json(b"")
        changed = [event for event in self.market_model.events if any(market.changed_tick > since for market in event.markets)]
        return Json(self._quotes(changed) if changed else b"")

    def _quotes(self, events: list[ModelEvent]) -> dict[str, Any]:
        leagues: dict[str, dict[str, Any]] = {}
        for event in events:
            league = leagues.setdefault(event.league_id, {"id": int(event.league_id), "events": []})
            score = {"homeScore": 0.0, "awayScore": 0.0, "homeRedCards": 0, "awayRedCards": 0} if event.in_play else {}
            first = _LIVE if event.in_play else _PRE_MATCH
            league["events"].append({"id": first + event.number, **score, "periods": [{**self._period(event), **score}]})
        return {"sportId": _SPORT, "last": self._cursor(), "leagues": list(leagues.values())}

    def _period(self, event: ModelEvent) -> dict[str, Any]:
        """Return the full-match period; suspended markets are left out."""
        updated = iso_time(self.now_ms())
        period: dict[str, Any] = {
            "lineId": event.number,
            "number": 0,
            "cutoff": iso_time(event.start_ms + _CUTOFF_MS),
            "maxSpread": 5_000.0,
            "maxMoneyline": 2_500.0,
            "maxTotal": 5_000.0,
            "maxTeamTotal": 1_000.0,
            "status": 1,
            "spreads": [],
            "totals": [],
        }
        for market in event.markets:
            if market.status != "open":
                continue
            odds = market.odds()
            if market.kind == "result":
                period |= {"moneyline": odds, "moneylineUpdatedAt": updated}
                period |= {"teamTotal": _team_totals(event), "teamTotalUpdatedAt": updated}
            elif market.kind == "total":
                alternate = {"altLineId": round(10 * (market.line or 0)), "max": 500.0} if period["totals"] else {}
                period["totals"].append({"points": market.line, **odds, **alternate})
                period["totalUpdatedAt"] = updated
            elif market.kind == "handicap":
                period["spreads"].append({"hdp": market.line, **odds})
                period["spreadUpdatedAt"] = updated
        return period


def _team_totals(event: ModelEvent) -> dict[str, list[dict[str, float]]]:
    """Return over and under what each side scores, in two lines of each."""
    totals: dict[str, list[dict[str, float]]] = {"home": [], "away": []}
    for lines, rate in zip(totals.values(), event.rates, strict=True):
        for line in (0.5, 1.5):
            over = Outlook(Score(0, 0), rate, 0.0).over(line)
            alternate = {"altLineId": 10 * line} if lines else {}
            lines.append({"points": line, "over": _odds(over), "under": _odds(1 - over), **alternate})
    return totals


def _odds(probability: float) -> float:
    return max(1.01, round(1 / (probability * (1 + _MARGIN)), 2))


def _fixtures_of(event: ModelEvent) -> list[dict[str, Any]]:
    """Return both fixtures of a match: the one before it, and the live one, which is listed long before the start."""
    common = {
        "starts": iso_time(event.start_ms),
        "home": event.home,
        "away": event.away,
        "rotNum": str(event.number),
        "status": "I" if event.number % 3 == 0 else "O",
        "parlayRestriction": 2,
        "altTeaser": False,
        "resultingUnit": "Regular",
        "version": event.number,
        "sameEventParlayPeriodsEnabled": [0, 1],
    }
    first = _PRE_MATCH + event.number
    return [
        {"id": first, "liveStatus": 2, **common},
        {"id": _LIVE + event.number, "liveStatus": 1, "parentId": first, **common},
    ]


EMULATOR = EmulatorPlugin(PinnacleEmulator, {"PINNACLE_USERNAME": "emulated", "PINNACLE_PASSWORD": "emulated"})
