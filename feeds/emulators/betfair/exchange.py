"""A market model as an exchange: Betfair's ids, definitions and order books. Reads the wall clock, does no other I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from oddsengine.common.clock import iso_time, wall_clock_ms
from oddsengine.domain.ladders import BETFAIR

if TYPE_CHECKING:
    from feeds.emulators.core.market_model import MarketModel, ModelEvent, ModelMarket

_DRAW: Final = 58805
_HALF_SPREAD: Final = 0.004
_SIZE: Final = 100.0
_MIN_PROBABILITY: Final = 1e-3
#: What a definition holds besides, of no meaning for prices.
_CONSTANT: Final[dict[str, Any]] = {
    "betDelay": 0,
    "bspMarket": False,
    "bspReconciled": False,
    "complete": True,
    "countryCode": "GB",
    "crossMatching": True,
    "discountAllowed": True,
    "marketBaseRate": 5.0,
    "persistenceEnabled": True,
    "priceLadderDefinition": {"type": "CLASSIC"},
    "regulators": ["MR_INT"],
    "runnersVoidable": False,
    "timezone": "GMT",
    "turnInPlayEnabled": True,
}


class EmulatedMarket:
    """One market on the exchange; `books` holds the best back and lay row of each runner."""

    def __init__(self, model: ModelMarket, number: int) -> None:
        self.model = model
        self.id = f"1.{20_000_000 + model.event.number * 100 + number}"
        self.version = 1
        self.books: dict[int, tuple[tuple[float, float], tuple[float, float]]] = {}

    @property
    def runners(self) -> dict[int, str]:
        """Runner ids with their roles, in Betfair's order."""
        event = self.model.event
        if self.model.kind == "result":
            return {event.number * 2 + 1000: "home", event.number * 2 + 1001: "away", _DRAW: "draw"}
        if self.model.kind == "both":
            return {30246: "yes", 110503: "no"}
        first = 47_000 + round((self.model.line or 0.0) * 10)
        return {first: "under", first + 1: "over"}

    @property
    def definition(self) -> dict[str, Any]:
        """The market definition in Betfair's words."""
        event = self.model.event
        line = self.model.line or 0.0
        types = {"result": "MATCH_ODDS", "both": "BOTH_TEAMS_TO_SCORE", "total": f"OVER_UNDER_{round(line * 10)}"}
        return {
            "version": self.version,
            "status": "OPEN" if self.model.status == "open" else "SUSPENDED",
            "inPlay": event.in_play,
            "eventId": _event_id(event),
            "eventTypeId": "1",
            "marketType": types[self.model.kind],
            "bettingType": "ODDS",
            "marketTime": iso_time(event.start_ms, "milliseconds"),
            "openDate": iso_time(event.start_ms, "milliseconds"),
            "suspendTime": iso_time(event.start_ms, "milliseconds"),
            "numberOfWinners": 1,
            "runners": [
                {"id": runner, "sortPriority": place, "status": "ACTIVE", "hc": None, "adjustmentFactor": 0.0}
                for place, runner in enumerate(self.runners, 1)
            ],
            "numberOfActiveRunners": len(self.runners),
            **_CONSTANT,
        }

    @property
    def catalogue(self) -> dict[str, Any]:
        """The market's entry in the catalogue: the names that the stream lacks."""
        event = self.model.event
        names = {"home": event.home, "away": event.away, "draw": "The Draw"}
        return {
            "marketId": self.id,
            "marketName": self.model.kind,
            "competition": {"id": event.league_id, "name": event.league},
            "event": {"id": _event_id(event), "name": f"{event.home} v {event.away}"},
            "runners": [
                {"selectionId": runner, "runnerName": names.get(role, role.title()), "handicap": 0.0}
                for runner, role in self.runners.items()
            ],
        }


class EmulatedExchange:
    """A `Tradable` over a market model.

    Args:
        model: its handicaps are left out, because on Betfair they are markets of another kind.
    """

    def __init__(self, model: MarketModel) -> None:
        self._model = model
        self.markets = [
            EmulatedMarket(market, number)
            for event in model.events
            for number, market in enumerate(event.markets)
            if market.kind != "handicap"
        ]
        self._by_model = {market.model: market for market in self.markets}
        for market in self.markets:
            _requote(market)

    @property
    def ticks(self) -> int:
        """The number of ticks so far."""
        return self._model.ticks

    @property
    def pt_ms(self) -> int:
        """The publish time, Unix milliseconds."""
        return wall_clock_ms()

    def tick(self) -> list[dict[str, Any]]:
        """Advance by one tick and return the market changes in Betfair's words."""
        changes = []
        for changed in self._model.tick():
            market = self._by_model.get(changed)
            if market is None:
                continue
            before = dict(market.books)
            _requote(market)
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
        """Return the full image of a market."""
        return {
            "id": market.id,
            "img": True,
            "marketDefinition": market.definition,
            "rc": [{"id": runner, "batb": [(0, *back)], "batl": [(0, *lay)]} for runner, (back, lay) in market.books.items()],
        }


def _requote(market: EmulatedMarket) -> None:
    ticks = BETFAIR.ticks
    for runner, role in market.runners.items():
        fair = 1000 / max(market.model.probabilities[role], _MIN_PROBABILITY)
        back = BETFAIR.at_or_below(fair * (1 - _HALF_SPREAD)) or ticks[0]
        lay = max(BETFAIR.at_or_above(fair * (1 + _HALF_SPREAD)) or ticks[-1], ticks[min(ticks.index(back) + 1, len(ticks) - 1)])
        market.books[runner] = ((back / 1000, _SIZE), (lay / 1000, _SIZE))


def _event_id(event: ModelEvent) -> str:
    return str(29_000_000 + event.number)
