"""The greatest stakes and bet delays that providers document reach the definitions of their markets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feeds.adapters.betfair.markets import to_markets as of_betfair
from feeds.adapters.betfair.messages import Definition
from feeds.adapters.oddsapiio.markets import to_markets as of_oddsapiio
from feeds.adapters.oddsapiio.messages import EventDetails, Market
from feeds.adapters.opticodds.markets import to_markets as of_opticodds
from feeds.adapters.opticodds.messages import Entry, Fixture
from feeds.adapters.pinnacle.markets import to_markets as of_pinnacle
from feeds.adapters.pinnacle.messages import Period
from feeds.toolkit.standard_markets import Phase, both_to_score, with_limit
from oddsengine.domain.ids import EventId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oddsengine.domain.feed_updates import MarketDefinition

EVENT = EventId("x.7")


def limits(definitions: Iterable[MarketDefinition]) -> dict[str, float | None]:
    return {each.id.removeprefix("x.7/"): each.limit for each in definitions}


@pytest.mark.parametrize(("stated", "delay"), [(5, 5.0), (0, None), (None, None)])
def test_betfair_delays_bets_in_play(stated: int | None, delay: float | None) -> None:
    runners = [{"id": number, "sortPriority": number, "hc": hc} for number, hc in ((1, -0.5), (2, 0.5))]
    whole = {"status": "OPEN", "eventId": "7", "bettingType": "ASIAN_HANDICAP_DOUBLE_LINE", "marketType": "ASIAN_HANDICAP"}
    definition = msgspec.convert({**whole, "betDelay": stated, "runners": runners}, Definition)
    assert {delay} == {each.bet_delay_s for _, each in of_betfair("x", "1.24", definition)}


def test_pinnacle_limits_each_kind_of_market_and_each_alternative_line() -> None:
    lines = [{"points": 2.5, "over": 1.9, "under": 1.9}, {"points": 3, "over": 2.4, "under": 1.5, "max": 50}]
    period = {
        "number": 0,
        "moneyline": {"home": 2.0, "draw": 3.0, "away": 4.0},
        "totals": lines,
        "spreads": [{"hdp": -0.5, "home": 1.9, "away": 1.9}],
        "teamTotal": {"home": lines[0]},
        "maxMoneyline": 2500.0,
        "maxTotal": "500",
        "maxTeamTotal": None,
    }
    markets = of_pinnacle(EVENT, ("A", "B"), "football", None, msgspec.convert(period, Period), "ft", Phase())
    assert {
        "match_odds": 2500.0,
        "total/ft/2.5": 500.0,
        "total/ft/3": 50.0,
        "asian_handicap/ft/-0.5": None,
        "home_total/ft/2.5": None,
    } == limits(definition for definition, _ in markets)


def test_opticodds_limits_selections_and_the_smallest_is_that_of_the_market() -> None:
    fixture = msgspec.convert(
        {"id": "7", "home_team_display": "A", "away_team_display": "B", "sport": {"id": "soccer"}, "league": {"id": "l"}}, Fixture
    )
    stakes: list[Any] = [{"max_stake": 300}, {"max_stake": None}, {"max_stake": 200}]
    entries = [
        Entry(name, "7", "b", "Moneyline 3-Way", name, 3.0, limits=each)
        for name, each in zip(("A", "Draw", "B"), stakes, strict=True)
    ]
    assert {"match_odds": 200.0} == limits(definition for definition, _ in of_opticodds(EVENT, fixture, entries).values())


def test_odds_api_io_limits_each_line() -> None:
    details = msgspec.convert({"id": 7, "home": "A", "away": "B", "sport": {"name": "Football"}}, EventDetails)
    market = Market("Totals", msgspec.convert([{"hdp": 2.5, "over": 1.9, "max": 500}, {"hdp": 3.5, "over": 3.0}], list[Any]))
    market = msgspec.convert(msgspec.to_builtins(market), Market)
    markets = of_oddsapiio(EVENT, details, market)
    assert {"total/ft/2.5": 500.0, "total/ft/3.5": None} == limits(definition for definition, _ in markets)


def test_what_is_no_amount_is_no_limit() -> None:
    definition = both_to_score(EVENT, Phase())
    assert definition is with_limit(definition, [None, True, "much", [], -1.0, float("inf"), "1e999"])
    assert 0.0 == with_limit(definition, ["10", 0]).limit
