"""Betfair's runner statuses as results."""

from __future__ import annotations

from typing import Any

import msgspec

from feeds.adapters.betfair.markets import to_market
from feeds.adapters.betfair.messages import Definition
from oddsengine.domain.results import HALF_LOST, HALF_WON, LOST, VOID, WON, SelectionResult
from tests.support.builders import betfair_market


def results(runners: list[dict[str, Any]], **fields: Any) -> list[SelectionResult | None]:
    """The results of a closed market's runners, in their order."""
    definition = {**betfair_market()["marketDefinition"], "status": "CLOSED", "marketType": "WIN", **fields}
    definition["runners"] = [{"sortPriority": place, **runner} for place, runner in enumerate(runners)]
    market = to_market("betfair", "1.1", msgspec.convert(definition, Definition))
    return [selection.effective_result for selection in market.selections]


def statuses(*each: str) -> list[dict[str, Any]]:
    return [{"id": number, "status": status} for number, status in enumerate(each, 11)]


def test_a_winner_and_losers() -> None:
    assert [WON, LOST, None] == results(statuses("WINNER", "LOSER", "ACTIVE"))


def test_bets_on_removed_and_hidden_runners_are_void() -> None:
    assert [VOID, VOID, VOID, WON] == results(statuses("REMOVED", "REMOVED_VACANT", "HIDDEN", "WINNER"))


def test_two_winners_of_one_place_share_it() -> None:
    half = SelectionResult("winner", 0.0, 0.5)
    assert [half, half, LOST] == results(statuses("WINNER", "WINNER", "LOSER"))


def test_three_winners_of_two_places_do_not_say_who_shares() -> None:
    unknown = SelectionResult("winner", 0.0, None)
    assert [unknown] * 3 == results(statuses("WINNER", "WINNER", "WINNER"), numberOfWinners=2, marketType="OTHER_PLACE")


def test_as_many_winners_as_places_are_no_dead_heat() -> None:
    assert [WON, WON, LOST] == results(statuses("WINNER", "WINNER", "LOSER"), numberOfWinners=2, marketType="PLACE")


def test_the_lines_of_an_asian_handicap_after_a_draw() -> None:
    lines = {-0.5: "LOSER", -0.25: "LOSER", 0.0: "REMOVED", 0.25: "WINNER", 0.5: "WINNER"}
    runners = [{"id": 11, "hc": line, "status": status} for line, status in lines.items()]
    found = results(runners, marketType="ASIAN_HANDICAP", bettingType="ASIAN_HANDICAP_DOUBLE_LINE")
    assert [LOST, HALF_LOST, VOID, HALF_WON, WON] == found


def test_an_unknown_market_has_the_providers_name() -> None:
    definition = {**betfair_market()["marketDefinition"], "marketType": "NEXT_THING", "name": "Next Thing"}
    assert "Next Thing" == to_market("betfair", "1.1", msgspec.convert(definition, Definition)).name
