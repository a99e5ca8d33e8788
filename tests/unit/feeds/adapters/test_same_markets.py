"""The same bet at different providers is the same market: its id, type, period, line, unit and the keys of its selections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feeds.adapters.betfair.markets import to_market
from feeds.adapters.betfair.messages import Definition
from feeds.adapters.oddsapiio.markets import to_markets as of_oddsapiio
from feeds.adapters.oddsapiio.messages import EventDetails, Market
from feeds.adapters.opticodds.markets import to_markets as of_opticodds
from feeds.adapters.opticodds.messages import Entry, Fixture
from feeds.adapters.pinnacle.markets import to_markets as of_pinnacle
from feeds.adapters.pinnacle.messages import Period
from feeds.adapters.pinnacle.periods import period_of
from feeds.toolkit.standard_markets import Phase
from oddsengine.domain.ids import EventId
from oddsengine.domain.market_types import MARKET_TYPES

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import MarketDefinition

EVENT = EventId("x.7")
SIDES = ["A", "B"]
RESULT = ["A", "B", "The Draw"]
OVER_UNDER = ["Under 1.5", "Over 1.5"]
DRAW = 58805


def _betfair(market_type: str, names: list[str], winners: int = 1) -> MarketDefinition:
    runners = [
        {"id": DRAW if name == "The Draw" else place, "sortPriority": place, "name": name} for place, name in enumerate(names, 1)
    ]
    whole: dict[str, Any] = {
        "status": "OPEN",
        "eventId": "7",
        "eventTypeId": "1",
        "eventName": "A v B",
        "marketType": market_type,
    }
    whole["numberOfWinners"] = winners
    return to_market("x", "1.24", msgspec.convert({**whole, "runners": runners}, Definition))


def _opticodds(market: str, names: list[str], points: float | None = None) -> MarketDefinition:
    fixture = msgspec.convert(
        {"id": "7", "home_team_display": "A", "away_team_display": "B", "sport": {"id": "soccer"}, "league": {"id": "l"}}, Fixture
    )
    ((definition, _),) = of_opticodds(
        EVENT, fixture, [Entry(name, "7", "b", market, name, 2.0, points) for name in names]
    ).values()
    return definition


def _oddsapiio(market: str, **price: float) -> MarketDefinition:
    details = msgspec.convert(
        {"id": 7, "home": "A", "away": "B", "sport": {"name": "Football", "slug": "football"}}, EventDetails
    )
    ((definition, _),) = of_oddsapiio(EVENT, details, msgspec.convert({"name": market, "odds": [price]}, Market))
    return definition


def _pinnacle(number: int, unit: str = "Regular", **markets: Any) -> MarketDefinition:
    period = period_of("football", number)
    assert period is not None
    quoted = msgspec.convert({"number": number, **markets}, Period)
    ((definition, _),) = of_pinnacle(EVENT, ("A", "B"), "football", unit, quoted, period, Phase())
    return definition


OU = {"over": 2.0, "under": 2.0}
TWO_WAY = {"home": 2.0, "away": 2.0}
THREE_WAY = {**TWO_WAY, "draw": 3.0}
BETS: list[tuple[str, list[MarketDefinition]]] = [
    (
        "match_odds",
        [
            _betfair("MATCH_ODDS", RESULT),
            _opticodds("Moneyline 3-Way", ["A", "Draw", "B"]),
            _oddsapiio("ML", **THREE_WAY),
            _pinnacle(0, moneyline=THREE_WAY),
        ],
    ),
    (
        "match_odds/h1",
        [
            _betfair("HALF_TIME", RESULT),
            _opticodds("1st Half Moneyline 3-Way", ["A", "Draw", "B"]),
            _oddsapiio("ML HT", **THREE_WAY),
            _pinnacle(1, moneyline=THREE_WAY),
        ],
    ),
    ("match_odds/h2", [_betfair("2ND_HALF_MATCH_ODDS", RESULT), _pinnacle(2, moneyline=THREE_WAY)]),
    ("match_odds/et", [_betfair("EXTRA_TIME", RESULT), _pinnacle(3, moneyline=THREE_WAY)]),
    ("match_odds_corners", [_betfair("CORNER_MATCH_BET", RESULT), _opticodds("Corners Moneyline 3-Way", ["A", "Draw", "B"])]),
    (
        "double_chance",
        [
            _betfair("DOUBLE_CHANCE", ["A or Draw", "A or B", "B or Draw"], winners=2),
            _opticodds("Double Chance", ["A or Draw", "A or B", "Draw or B"]),
        ],
    ),
    (
        "draw_no_bet",
        [_betfair("DRAW_NO_BET", SIDES), _opticodds("Draw No Bet", SIDES), _oddsapiio("Draw No Bet", **TWO_WAY)],
    ),
    ("to_qualify", [_betfair("TO_QUALIFY", SIDES), _pinnacle(8, moneyline=TWO_WAY)]),
    (
        "both_to_score",
        [
            _betfair("BOTH_TEAMS_TO_SCORE", ["Yes", "No"]),
            _opticodds("Both Teams To Score", ["Yes", "No"]),
            _oddsapiio("Both Teams To Score", yes=2.0, no=2.0),
        ],
    ),
    ("odd_even", [_betfair("ODD_OR_EVEN", ["Odd", "Even"]), _opticodds("Total Goals Odd/Even", ["Odd", "Even"])]),
    (
        "total/ft/1.5",
        [
            _betfair("OVER_UNDER_15", OVER_UNDER),
            _opticodds("Total Goals", ["Over 1.5", "Under 1.5"], 1.5),
            _oddsapiio("Totals", hdp=1.5, **OU),
            _pinnacle(0, totals=[{"points": 1.5, **OU}]),
        ],
    ),
    (
        "total/h1/1.5",
        [
            _betfair("FIRST_HALF_GOALS_15", OVER_UNDER),
            _opticodds("1st Half Total Goals", ["Over 1.5", "Under 1.5"], 1.5),
            _oddsapiio("Totals HT", hdp=1.5, **OU),
            _pinnacle(1, totals=[{"points": 1.5, **OU}]),
        ],
    ),
    ("total/h2/1.5", [_betfair("SECOND_HALF_GOALS_15", OVER_UNDER), _pinnacle(2, totals=[{"points": 1.5, **OU}])]),
    ("total/et/1.5", [_betfair("ET_OU_GOALS_15", OVER_UNDER), _pinnacle(3, totals=[{"points": 1.5, **OU}])]),
    (
        "home_total/ft/1.5",
        [
            _betfair("TEAM_A_OVER_UNDER_15", OVER_UNDER),
            _opticodds("Team Total Goals", ["A Over 1.5", "A Under 1.5"], 1.5),
            _oddsapiio("Team Total Home", hdp=1.5, **OU),
            _pinnacle(0, teamTotal={"home": [{"points": 1.5, **OU}]}),
        ],
    ),
    (
        "away_total/ft/1.5",
        [
            _betfair("TEAM_B_OVER_UNDER_15", OVER_UNDER),
            _opticodds("Team Total Goals", ["B Over 1.5", "B Under 1.5"], 1.5),
            _oddsapiio("Team Total Away", hdp=1.5, **OU),
            _pinnacle(0, teamTotal={"away": [{"points": 1.5, **OU}]}),
        ],
    ),
    (
        "total_corners/ft/8.5",
        [
            _betfair("OVER_UNDER_85_CORNR", ["Under 8.5 Corners", "Over 8.5 Corners"]),
            _opticodds("Total Corners", ["Over 8.5", "Under 8.5"], 8.5),
            _oddsapiio("Corners Totals", hdp=8.5, **OU),
            _pinnacle(0, "Corners", totals=[{"points": 8.5, **OU}]),
        ],
    ),
    (
        "total_cards/ft/4.5",
        [
            _betfair("OVER_UNDER_45_CARDS", ["Under 4.5 Cards", "Over 4.5 Cards"]),
            _opticodds("Total Cards", ["Over 4.5", "Under 4.5"], 4.5),
        ],
    ),
]


@pytest.mark.parametrize(("market", "definitions"), BETS, ids=[market for market, _ in BETS])
def test_the_same_bet_is_the_same_market_at_every_provider(market: str, definitions: list[MarketDefinition]) -> None:
    assert {f"x.7/{market}"} == {definition.id for definition in definitions}
    assert 1 == len({(each.type, each.period, each.line, each.unit) for each in definitions})
    assert {MARKET_TYPES[definitions[0].type].winners} == {each.winners for each in definitions}
    assert 1 == len({frozenset(selection.key for selection in each.selections) for each in definitions})


@pytest.mark.parametrize("definition", [each for _, definitions in BETS for each in definitions], ids=lambda each: each.id)
def test_its_selections_are_those_of_its_type(definition: MarketDefinition) -> None:
    assert set(MARKET_TYPES[definition.type].roles.split()) == {selection.key for selection in definition.selections}
