"""The market types as data, and the names of markets to which their source gave none."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from oddsengine.domain.market_types import HEAD_STARTS, MARKET_TYPES, ROLES, default_name, place_of, selection_orders

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


def test_markets_are_displayed_by_group_period_type_and_line() -> None:
    shown: list[tuple[MarketType, str | None, float | None, str | None, str]] = [
        ("match_odds", "ft", None, None, "main"),
        ("double_chance", "ft", None, None, "main"),
        ("asian_handicap", "ft", -0.5, None, "handicaps"),
        ("asian_handicap", "ft", 0.25, None, "handicaps"),
        ("total", "ft", 1.5, None, "totals"),
        ("total", "ft", 2.25, None, "totals"),
        ("home_total", "ft", 0.5, None, "totals"),
        ("correct_score", "ft", None, None, "scores"),
        ("half_time_full_time", "ft", None, None, "periods"),
        ("match_odds", "h1", None, None, "periods"),
        ("total", "h1", 0.5, None, "periods"),
        ("match_odds", "h2", None, None, "periods"),
        ("moneyline", "pen", None, None, "periods"),
        ("first_goalscorer", "ft", None, None, "players"),
        ("player_shots", None, 1.5, "shots", "players"),
        ("match_odds", "ft", None, "corners", "statistics"),
        ("total", "ft", 9.5, "corners", "statistics"),
        ("special", None, None, None, "specials"),
    ]
    places = [place_of(*market) for *market, _ in shown]
    assert [group for *_, group in shown] == [place.group for place in places]
    orders = [place.order for place in places]
    assert sorted(set(orders)) == orders
    assert ("totals", "totals") == (place_of("total", "ft", 22.5, "games").group, place_of("total", None, 2.5, "sets").group)


def test_the_greatest_order_is_exact_in_every_client() -> None:
    assert max(place_of(kind, "pen", 1e9, "x").order for kind in MARKET_TYPES) < 2**53


def test_selections_are_displayed_as_their_type_lists_them_or_as_their_source_does() -> None:
    assert (0, 2, 1) == selection_orders("match_odds", ["home", "away", "draw"])
    assert (0, 1, 2) == selection_orders("winner", ["9", "5", "7"])
