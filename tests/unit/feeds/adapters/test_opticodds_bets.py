"""OpticOdds' market and selection names: which bet an entry belongs to, whatever the order of the entries."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.adapters.opticodds.bets import bet_of
from feeds.adapters.opticodds.markets import to_event, to_markets
from feeds.adapters.opticodds.messages import Entry, Fixture
from oddsengine.domain.ids import EventId

EVENT = EventId("opt.f1")


def a_fixture(sport: str = "hockey", home: str = "A", away: str = "B", **fields: Any) -> Fixture:
    whole = {"id": "f1", "home_team_display": home, "away_team_display": away, "sport": {"id": sport}, "league": {"id": "l"}}
    return msgspec.convert({**whole, **fields}, Fixture)


def entries(market: str, **prices: float) -> list[Entry]:
    names = {"home": "A", "away": "B", "draw": "Draw"}
    return [Entry(f"{market}:{key}", "f1", "book", market, names[key], price) for key, price in prices.items()]


def quotes(fixture: Fixture, of: list[Entry]) -> dict[str, Any]:
    return {market.removeprefix("opt.f1/"): found for market, (_, found) in to_markets(EVENT, fixture, of).items()}


def test_two_way_and_three_way_results_are_two_markets_in_any_order() -> None:
    """Overtime is included in one of them only."""
    of = entries("Moneyline", home=1.8, away=2.1) + entries("Moneyline 3-Way", home=2.3, draw=4.2, away=2.9)
    right = {"moneyline": {"home": 1.8, "away": 2.1}, "match_odds": {"home": 2.3, "draw": 4.2, "away": 2.9}}
    assert all(right == quotes(a_fixture(), list(order)) for order in permutations(of))


def test_a_three_way_half_leaves_the_moneyline_of_the_match_alone() -> None:
    of = entries("1st Half Moneyline 3-Way", home=2.3, draw=4.2, away=2.9) + entries("Moneyline", home=1.8, away=2.1)
    assert {"match_odds/h1", "moneyline"} == quotes(a_fixture("basketball"), of).keys()


def test_a_football_result_has_a_draw_whether_it_is_quoted_or_not() -> None:
    assert {"match_odds": {"home": 2.1, "away": 3.9}} == quotes(a_fixture("soccer"), entries("Moneyline", home=2.1, away=3.9))


def test_two_markets_with_the_same_lines_are_never_mixed() -> None:
    of = [
        Entry("1", "f1", "book", "Asian Handicap", "A -1.5", 1.9, -1.5),
        Entry("2", "f1", "book", "Goal Spread", "A -1.5", 2.4, -1.5),
        Entry("3", "f1", "book", "Goal Spread", "B +1.5", 1.5, 1.5),
    ]
    assert all(
        {"asian_handicap/ft/-1.5": {"home": 1.9}} == quotes(a_fixture("soccer"), list(order)) for order in permutations(of)
    )


@pytest.mark.parametrize(
    ("home", "away"),
    [
        ("Michigan", "Michigan State"),
        ("Michigan State", "Michigan"),
        ("Over", "Overton"),
        ("Inter", "Inter Miami"),
        ("Miami", "Inter Miami"),
        ("Schalke 04", "Schalke"),
        ("Team 1", "Team 1 2"),
    ],
)
def test_sides_are_named_whole(home: str, away: str) -> None:
    of = [
        Entry("1", "f1", "book", "Point Spread", f"{home} -7.5", 1.9, -7.5),
        Entry("2", "f1", "book", "Point Spread", f"{away} +7.5", 1.95, 7.5),
    ]
    assert {"asian_handicap/ft/-7.5": {"home": 1.9, "away": 1.95}} == quotes(a_fixture("basketball", home, away), of)


NAME = st.text("ab 1", min_size=1, max_size=6).map(str.strip).filter(bool)


@given(NAME, NAME, st.integers(-40, 40).map(lambda halves: halves / 2))
def test_a_spread_is_of_the_side_that_it_names(home: str, away: str, line: float) -> None:
    if home == away:
        return
    of = [Entry("1", "f1", "book", "Point Spread", f"{home} {line:+g}", 1.9, line)]
    found = quotes(a_fixture("basketball", home, away), of)
    # Where the other side is called as this one with its points, nobody can tell.
    assert ["home"] == [key for each in found.values() for key in each] or away == f"{home} {line:+g}"


@pytest.mark.parametrize(
    ("market", "bet"),
    [
        ("Moneyline", ("result", "ft", "", False)),
        ("Moneyline 3-Way", ("result", "ft", "", True)),
        ("1st Half Moneyline 3-Way", ("result", "h1", "", True)),
        ("3rd Quarter Point Spread", ("handicap", "q3", "Point", False)),
        ("1st Period Total Goals", ("total", "p1", "Goals", False)),
        ("2nd Set Total Games", ("total", "set2", "Games", False)),
        ("Set Spread", ("handicap", "ft", "Set", False)),
        ("Map 1 Moneyline", ("result", "map1", "", False)),
        ("1st 5 Innings Total Runs", ("total", "f5", "Runs", False)),
        ("1st Inning Moneyline", ("result", "i1", "", False)),
        ("Total Corners", ("total", "ft", "Corners", False)),
        ("Asian Handicap Corners", ("handicap", "ft", "Corners", False)),
        ("Team Total Goals", ("team_total", "ft", "Goals", False)),
        ("1st Half Team Total", ("team_total", "h1", "", False)),
        ("Total Goals Odd/Even", ("odd_even", "ft", "Goals", False)),
        ("1st Half Both Teams To Score", ("both", "h1", "", False)),
        ("Double Chance", ("double_chance", "ft", "", False)),
        ("2nd Half Draw No Bet", ("draw_no_bet", "h2", "", False)),
        ("Player Total Points", None),
        ("Team Total Odd/Even", None),
        ("Double Chance & Total Goals", None),
    ],
)
def test_market_names(market: str, bet: tuple[Any, ...] | None) -> None:
    assert bet == bet_of(market)


def test_lines_of_sets_and_of_games_are_different_markets() -> None:
    of = [
        Entry("1", "f1", "book", "Set Spread", "A -1.5", 2.85, -1.5),
        Entry("2", "f1", "book", "Game Spread", "A -1.5", 1.75, -1.5),
        Entry("3", "f1", "book", "Total Sets", "Over 2.5", 2.2, 2.5),
        Entry("4", "f1", "book", "Total Games", "Over 2.5", 1.01, 2.5),
    ]
    assert {
        "asian_handicap_sets/ft/-1.5",
        "asian_handicap_games/ft/-1.5",
        "total_sets/ft/2.5",
        "total_games/ft/2.5",
    } == quotes(a_fixture("tennis"), of).keys()


@pytest.mark.parametrize("written", ["soon", "", None, 17])
def test_an_unreadable_start_is_unknown(written: object) -> None:
    assert to_event("opt", a_fixture(start_date=written), EVENT).start_ms is None


def test_totals_of_a_side_are_of_the_side_that_is_named() -> None:
    of = [
        Entry("1", "f1", "book", "Team Total Goals", "Inter Over 1.5", 1.9, 1.5, selection="Inter", selection_line="over"),
        Entry("2", "f1", "book", "Team Total Goals", "Inter Under 1.5", 1.95, 1.5),
        Entry("3", "f1", "book", "Team Total Goals", "Inter Miami Over 1.5", 2.4, 1.5, selection="Inter Miami"),
        Entry("4", "f1", "book", "Team Total Goals", "Miami Over 1.5", 9.0, 1.5),
        Entry("5", "f1", "book", "Team Total Goals", "Over 1.5", 9.0, 1.5, selection_line="over"),
    ]
    right = {"home_total/ft/1.5": {"over": 1.9, "under": 1.95}, "away_total/ft/1.5": {"over": 2.4}}
    assert all(right == quotes(a_fixture("soccer", "Inter", "Inter Miami"), list(order)) for order in permutations(of))


def test_two_outcomes_of_a_double_chance_are_named_in_either_order() -> None:
    names = {"A or Draw": 1.3, "B or A": 1.25, "Draw or B": 1.8, "A": 9.0, "A or C": 9.0}
    of = [Entry(name, "f1", "book", "Double Chance", name, price) for name, price in names.items()]
    assert {"double_chance": {"home_draw": 1.3, "home_away": 1.25, "draw_away": 1.8}} == quotes(a_fixture("soccer"), of)
    market, _ = to_markets(EVENT, a_fixture("soccer"), of)["opt.f1/double_chance"]
    assert 2 == market.winners


def test_a_draw_that_returns_the_stake_is_not_a_handicap_of_nothing() -> None:
    """Which may be quoted beside it."""
    assert {"draw_no_bet": {"home": 1.6, "away": 2.4}} == quotes(a_fixture("soccer"), entries("Draw No Bet", home=1.6, away=2.4))


def test_odd_and_even_totals() -> None:
    of = [Entry(name, "f1", "book", "Total Corners Odd/Even", name, 1.9) for name in ("Odd", "Even")]
    assert {"odd_even_corners": {"odd": 1.9, "even": 1.9}} == quotes(a_fixture("soccer"), of)


@pytest.mark.parametrize(("said", "quoted"), [(None, True), (True, True), (False, False)])
def test_a_price_from_before_the_match_is_none_once_it_has_begun(said: bool | None, quoted: bool) -> None:
    of = [Entry("1", "f1", "book", "Both Teams To Score", "Yes", 1.9, is_live=said)]
    assert quoted == bool(quotes(a_fixture("soccer", is_live=True), of))
    assert quotes(a_fixture("soccer"), of)


@pytest.mark.parametrize("status", ["Completed", "cancelled", "postponed"])
def test_a_fixture_that_is_over_takes_no_bets(status: str) -> None:
    of = [Entry("1", "f1", "book", "Both Teams To Score", "Yes", 1.9)]
    ((market, _),) = to_markets(EVENT, a_fixture("soccer", status=status), of).values()
    assert "suspended" == market.status


@pytest.mark.parametrize("status", ["live", "half"])
def test_a_fixture_is_in_play_by_its_status_too(status: str) -> None:
    assert to_event("opt", a_fixture("soccer", status=status), EVENT).in_play
