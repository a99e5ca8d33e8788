"""The Odds API on loopback: complete answers, and a credit quota."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from feeds.emulators.core.web import Json, WebEmulator
from feeds.emulators.emulator import EmulatorPlugin
from oddsengine.common.clock import iso_time

if TYPE_CHECKING:
    from aiohttp import web

    from feeds.emulators.core.market_model import MarketModel, ModelEvent, ModelMarket

_KEYS: Final = {"result": "h2h", "total": "totals", "handicap": "spreads"}


class TheOddsApiEmulator(WebEmulator):
    """Serves `/v4/sports/{sport}/odds`, with the same matches for every sport, and counts credits.

    Args:
        market_model: the market it quotes.
        credits: the credits at the start.
        tick_s: real seconds a tick takes; 0: ticks only by `step`.
    """

    def __init__(
        self,
        market_model: MarketModel,
        credits: int = 1_000_000,  # noqa: A002 - the provider's word
        *,
        tick_s: float = 0.1,
    ) -> None:
        super().__init__(market_model, frozenset({"quota"}), tick_s=tick_s)
        self.remaining = credits
        self.used = 0
        self._last: list[dict[str, Any]] | None = None
        self.route("GET", "/v4/sports/{sport}/odds", self._odds)

    def config(self) -> dict[str, Any]:
        """Return the keys a feed's config block needs to reach it."""
        return {"url": self.base_url}

    async def _odds(self, request: web.Request) -> Json:
        markets = request.query.get("markets", "h2h").split(",")
        bookmakers = request.query.get("bookmakers", "pinnacle").split(",")
        cost = len(markets) * -(-len(bookmakers) // 10)
        if "apiKey" not in request.query:
            return Json({"message": "API key is missing"}, 401)
        if self.faults.is_active("quota") or self.remaining < cost:
            headers = {"x-requests-remaining": "0", "x-requests-used": str(self.used)}
            return Json({"message": "Usage quota has been reached", "error_code": "OUT_OF_USAGE_CREDITS"}, 401, headers)
        self.remaining -= cost
        self.used += cost
        now_ms = self.now_ms()
        sport = request.match_info["sport"]
        headers = {
            "x-requests-remaining": str(self.remaining),
            "x-requests-used": str(self.used),
            "x-requests-last": str(cost),
        }
        # A stalled provider keeps answering with its last data, whose update times no longer change.
        if not self.faults.is_active("stall") or self._last is None:
            self._last = [self._event(event, sport, markets, bookmakers, now_ms) for event in self.market_model.events]
        return Json(self._last, headers=headers)

    def _event(self, event: ModelEvent, sport: str, wanted: list[str], bookmakers: list[str], now_ms: int) -> dict[str, Any]:
        by_key: dict[str, list[dict[str, Any]]] = {}
        for market in event.markets:
            key = _KEYS.get(market.kind)
            if key in wanted and market.status == "open":
                by_key.setdefault(str(key), []).extend(_outcomes(market))
        updated = iso_time(now_ms)
        return {
            "id": f"e{event.number:05d}",
            "sport_key": sport,
            "sport_title": event.league,
            "commence_time": iso_time(event.start_ms),
            "home_team": event.home,
            "away_team": event.away,
            "bookmakers": [
                {
                    "key": bookmaker,
                    "title": bookmaker.title(),
                    "last_update": updated,
                    "link": f"https://{bookmaker}.example/{event.number}",
                    "sid": str(event.number),
                    "markets": [
                        {"key": key, "last_update": updated, "link": None, "sid": None, "outcomes": outcomes}
                        for key, outcomes in by_key.items()
                    ],
                }
                for bookmaker in bookmakers
            ],
        }


def _outcomes(market: ModelMarket) -> list[dict[str, Any]]:
    event = market.event
    names = {"home": event.home, "away": event.away, "draw": "Draw", "over": "Over", "under": "Under"}
    outcomes: list[dict[str, Any]] = []
    for role, odds in market.odds().items():
        outcome: dict[str, Any] = {"name": names[role], "price": odds, "link": None, "sid": f"{event.number}.{role}"}
        outcome |= {"bet_limit": 500.0, "multiplier": None}
        if market.line is not None:
            outcome["point"] = -market.line if role == "away" else market.line
        outcomes.append(outcome)
    return outcomes


EMULATOR = EmulatorPlugin(TheOddsApiEmulator, {"THE_ODDS_API_KEY": "emulated"})
