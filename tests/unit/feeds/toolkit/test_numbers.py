"""Odds and lines, as numbers and as texts."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.toolkit.numbers import decimal_odds, to_line, to_total_line


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
    ],
)
def test_decimal_odds_as_providers_write_them(written: object, odds: float | None) -> None:
    assert odds == decimal_odds(written)  # type: ignore[arg-type]


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
