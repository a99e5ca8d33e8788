"""Units of lines and results."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.toolkit.standard_markets import Phase, asian_handicap, match_result, total
from feeds.toolkit.units import line_unit, result_unit
from oddsengine.domain.ids import EventId

UNITS = ["Regular", "Sets", "Games", "Corners", "Bookings", "Shots On Target"]
EVENT = EventId("a.1")


@pytest.mark.parametrize(
    ("sport", "said", "unit"),
    [
        ("football", "", None),
        ("football", "Regular", None),
        ("football", "Goals", None),
        ("football", "Corners", "corners"),
        ("football", "Corner", "corners"),
        ("football", "Bookings", "bookings"),
        ("football", "Shots On Target", "shots_on_target"),
        ("tennis", None, "games"),
        ("tennis", "Games", "games"),
        ("tennis", "Sets", "sets"),
        ("volleyball", "Points", "points"),
        ("basketball", "Points", None),
        ("futsal", "Goals", None),
        ("field_hockey", "Goals", None),
        ("rugby", "Points", None),
        ("rugby", "Tries", "tries"),
        ("softball", "Runs", None),
    ],
)
def test_the_unit_of_a_line(sport: str, said: str | None, unit: str | None) -> None:
    assert unit == line_unit(sport, said)


@pytest.mark.parametrize(
    ("sport", "said", "period", "unit"),
    [
        ("tennis", "Sets", "ft", None),
        ("tennis", "Games", "ft", "games"),
        ("tennis", "Games", "set1", None),
        ("football", "Corners", "ft", "corners"),
        ("football", "Regular", "h1", None),
    ],
)
def test_the_unit_of_a_result_is_what_decides_it(sport: str, said: str, period: str, unit: str | None) -> None:
    assert unit == result_unit(sport, said, period)


@given(st.sampled_from(UNITS), st.sampled_from(UNITS), st.sampled_from(["football", "tennis", "esports"]))
def test_markets_of_different_units_are_different_markets(one: str, other: str, sport: str) -> None:
    units = [line_unit(sport, said) for said in (one, other)]
    for ids in (
        [total(EVENT, 2.5, Phase(), unit=unit).id for unit in units],
        [asian_handicap(EVENT, -1.5, "A", "B", Phase(), unit=unit).id for unit in units],
        [match_result(EVENT, "A", "B", Phase(), three_way=True, unit=unit).id for unit in units],
    ):
        assert (units[0] == units[1]) == (ids[0] == ids[1])


def test_what_a_sports_score_counts_is_not_said() -> None:
    assert "a.1/total/ft/2.5" == total(EVENT, 2.5, Phase()).id
    assert "a.1/total_corners/ft/9.5" == total(EVENT, 9.5, Phase(), unit="corners").id
    assert "a.1/match_odds_corners/h1" == match_result(EVENT, "A", "B", Phase(), three_way=True, period="h1", unit="corners").id
