"""Odds formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.formats import FORMATS, TRADITIONAL_FRACTIONS, format_odds, parse_odds
from oddsengine.domain.ladders import AMERICAN, LADDERS, TRADITIONAL

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("odds_format", [name for name in FORMATS if name != "american"])
@given(odds=st.integers(1001, 1_000_000))
def test_formatted_odds_parse_to_the_same_odds(odds_format: str, odds: int) -> None:
    assert odds == parse_odds(str(format_odds(odds, odds_format)), odds_format)


def test_traditional_fractions_keep_their_notation() -> None:
    for text in TRADITIONAL_FRACTIONS:
        assert text == format_odds(parse_odds(text, "fractional"), "fractional")
    assert len(TRADITIONAL_FRACTIONS) == len(TRADITIONAL.ticks)


def test_american_odds_are_exact_on_their_ladder() -> None:
    for tick in AMERICAN.ticks:
        assert tick == parse_odds(str(format_odds(tick, "american")), "american")
    assert {100, -110, 150, 10_000, -10_000} <= {format_odds(tick, "american") for tick in AMERICAN.ticks}


@given(odds=st.integers(1001, 1_000_000))
def test_american_odds_off_their_ladder_are_rounded_to_a_whole_number(odds: int) -> None:
    formatted = format_odds(odds, "american")
    assert isinstance(formatted, int)
    assert abs(formatted) >= 100
    assert parse_odds(str(formatted), "american") == pytest.approx(odds, rel=0.006)


@pytest.mark.parametrize(
    ("odds", "formatted"),
    [
        (2500, (2.5, "6/4", 150, 1.5, -0.666666667, 1.5, 40.0)),
        (2000, (2.0, "1/1", 100, 1.0, 1.0, 1.0, 50.0)),
        (1500, (1.5, "1/2", -200, 0.5, 0.5, -2.0, 66.666666667)),
        (2050, (2.05, "21/20", 105, 1.05, -0.952380952, 1.05, 48.780487805)),
    ],
)
def test_all_formats_of_some_odds(odds: int, formatted: tuple[object, ...]) -> None:
    assert formatted == tuple(format_odds(odds, name) for name in FORMATS)


@pytest.mark.parametrize(
    ("text", "odds_format"),
    [
        ("1.0", "decimal"),
        ("two", "decimal"),
        ("nan", "decimal"),
        ("inf", "decimal"),
        ("6", "fractional"),
        ("6/0", "fractional"),
        ("-6/4", "fractional"),
        ("99", "american"),
        ("-99", "american"),
        ("0", "hong_kong"),
        ("1.5", "malay"),
        ("0", "malay"),
        ("0.5", "indonesian"),
        ("0%", "percent"),
        ("100%", "percent"),
        ("\u0663/\u0662", "fractional"),
        ("\uff16/\uff14", "fractional"),
        ("1_0/4", "fractional"),
        ("6 / 4", "fractional"),
        ("9" * 400 + "/1", "fractional"),
        ("\u0662.\u0665", "decimal"),
        ("1_0", "decimal"),
        ("infinity", "american"),
        ("\uff11", "hong_kong"),
    ],
)
def test_invalid_odds_are_rejected_with_an_example(text: str, odds_format: str) -> None:
    with pytest.raises(ValueError, match=f"is not in {odds_format} format; an example is"):
        parse_odds(text, odds_format)


def test_the_message_is_short_however_long_the_text_is() -> None:
    for text in ("9" * 100_000, "9" * 100_000 + "/1", "\U0001f3c7" * 100_000):
        for name in FORMATS:
            with pytest.raises(ValueError, match="an example is") as refused:
                parse_odds(text, name)
            assert 300 > len(str(refused.value))


def test_unknown_formats_are_rejected_with_the_known_ones() -> None:
    calls: list[Callable[[], object]] = [lambda: parse_odds("2", "roman"), lambda: format_odds(2000, "roman")]
    for call in calls:
        with pytest.raises(ValueError, match="the formats are decimal, fractional"):
            call()


@pytest.mark.parametrize("name", LADDERS)
@given(quoted=st.floats(1.0, 1500.0))
def test_rounding_down_never_lengthens_the_odds(name: str, quoted: float) -> None:
    price = LADDERS[name].at_or_below(quoted * 1000)
    assert price is None or price <= quoted * 1000
