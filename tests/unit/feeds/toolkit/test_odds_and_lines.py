"""Odds and lines, as numbers and as texts."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.toolkit.odds_and_lines import decimal_odds, read_quotes, to_line, to_total_line


@pytest.mark.parametrize(
    ("written", "odds"),
    [
        ("2.05", 2.05),
        (1.5, 1.5),
        (101, 101.0),
        ("1", None),
        (0, None),
        (-200, None),
        ("", None),
        ("x", None),
        (None, None),
        ("inf", None),
        ("nan", None),
        ("1_9", None),
        (1.005, None),
        ("+150", None),
        ("5/2", None),
    ],
)
def test_decimal_odds_as_providers_write_them(written: object, odds: float | None) -> None:
    assert odds == decimal_odds(written)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prices", "winners", "refused"),
    [
        ((110, 240, 290), 1, 1),  # American
        ((1.1, 2.4, 2.9), 1, 1),  # fractional
        ((150, -180), 1, 1),
        ((0.5, 2.1), 1, 1),
        (("NaN", "5/2", "+150"), 1, 3),
        ((2.1, 3.4, 3.9), 1, 0),
        ((1.01, 34, 101), 1, 0),
        ((1.3, 1.25, 1.6), 2, 0),  # double chance
        ((2.1, None, 3.9), 1, 0),
    ],
)
def test_odds_in_another_format_are_refused(prices: tuple[float | str | None, ...], winners: int, refused: int) -> None:
    quotes, problems = read_quotes(dict(zip("abc", prices, strict=False)), len(prices), winners)
    assert refused == len(problems)
    assert all("not decimal odds" in problem for problem in problems)
    assert bool(refused) != (len(quotes) == sum(price is not None for price in prices))


@given(st.integers(-4_000, 4_000))
def test_lines_are_quarters_written_either_way(quarters: int) -> None:
    line = quarters / 4
    assert line == to_line(line) == to_line(f"{line:+}")
    assert "-0.0" != str(to_line(line))


@pytest.mark.parametrize("written", ["NaN", "Infinity", "-inf", nan, inf, -inf, "", "x", "1_0", "2,5", 1e9, "1e300", 2.51])
def test_what_is_no_line_is_refused(written: float | str) -> None:
    with pytest.raises(ValueError, match="not a"):
        to_line(written)


@pytest.mark.parametrize("written", [0, "0", -2.5, "-0.5", -0.0])
def test_nothing_is_under_a_total_of_0(written: float | str) -> None:
    with pytest.raises(ValueError, match="is not the line of a total"):
        to_total_line(written)
    assert 0.25 == to_total_line("0.25")


def test_numbers_are_written_in_the_digits_of_json() -> None:
    with pytest.raises(ValueError, match="is not a number"):
        to_line("\N{ARABIC-INDIC DIGIT TWO}.5")
