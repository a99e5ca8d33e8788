"""The market types as data, and the names of markets to which their source gave none."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from oddsengine.domain.market_types import HEAD_STARTS, MARKET_TYPES, ROLES, default_name

if TYPE_CHECKING:
    from oddsengine.domain.taxonomy import MarketType


@pytest.mark.parametrize(
    ("market", "name"),
    [
        (("match_odds", "ft", None, None), "Match odds"),
        (("match_odds", "h1", None, None), "Match odds, first half"),
        (("match_odds", "ft", None, "corners"), "Match odds (corners)"),
        (("total", "ft", 2.5, None), "Total 2.5"),
        (("total", "q3", 48.0, None), "Total 48, third quarter"),
        (("total", "ft", 9.5, "corners"), "Total 9.5 corners"),
        (("home_total", "h2", 0.5, "booking_points"), "Home total 0.5 booking points, second half"),
        (("asian_handicap", "ft", 0.25, None), "Asian handicap +0.25"),
        (("asian_handicap", "set2", -1.5, "games"), "Asian handicap -1.5 games, set 2"),
        (("asian_handicap", "ft", 0.0, None), "Asian handicap 0"),
        (("moneyline", "pen", None, None), "Moneyline, penalty shoot-out"),
        (("moneyline", "map3", None, None), "Moneyline, map 3"),
        (("both_to_score", "et1", None, None), "Both to score, first half of extra time"),
        (("winner", None, None, None), "Winner"),
        (("total", "powerplay", 40.5, None), "Total 40.5, powerplay"),
    ],
)
def test_a_name_says_line_unit_and_period(market: tuple[MarketType, str | None, float | None, str | None], name: str) -> None:
    assert name == default_name(*market)


def test_there_are_a_hundred_types_with_names_of_their_own() -> None:
    assert len(MARKET_TYPES) >= 100
    assert len(MARKET_TYPES) == len({info.name for info in MARKET_TYPES.values()})


def test_markets_that_differ_have_names_that_differ() -> None:
    types: tuple[MarketType, ...] = ("total", "asian_handicap")
    markets = list(product(types, ("ft", "h1", "h2", "q1"), (0.0, 1.5, 2.5), (None, "corners", "cards")))
    assert len(markets) == len({default_name(*market) for market in markets})


@pytest.mark.parametrize("kind", MARKET_TYPES)
def test_a_type_that_says_its_winners_has_more_selections_than_win(kind: MarketType) -> None:
    info = MARKET_TYPES[kind]
    roles = info.roles.split()
    assert len(roles) == len(set(roles))
    assert set(roles) <= ROLES
    assert not roles or (info.winners is not None and info.winners < len(roles))
    assert kind not in HEAD_STARTS or info.has_line
