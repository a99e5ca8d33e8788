"""Odds in thousandths and ladders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.ladders import BETFAIR, Ladder
from oddsengine.domain.odds import to_decimal, to_milli


@given(st.integers(1000, 1_000_000))
def test_thousandths_survive_conversion_to_decimal(odds: int) -> None:
    assert odds == to_milli(to_decimal(odds))


@pytest.mark.parametrize("odds", [0.99, 0.0, -2.0, float("nan"), float("inf")])
def test_invalid_decimal_odds_are_rejected(odds: float) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        to_milli(odds)


def test_the_betfair_ladder_has_its_350_ticks() -> None:
    assert 350 == len(BETFAIR.ticks)
    assert (1010, 1_000_000) == (BETFAIR.ticks[0], BETFAIR.ticks[-1])
    assert all(tick in BETFAIR for tick in (1990, 2000, 2020, 3000, 3050, 4100, 6200, 10500, 21000, 32000, 55000, 110000))
    assert not any(tick in BETFAIR for tick in (1000, 2010, 3020, 4050, 1_010_000))


@given(st.integers(900, 1_100_000))
def test_the_ticks_around_any_odds(odds: int) -> None:
    below, following = BETFAIR.neighbours(odds)
    assert below == BETFAIR.at_or_below(odds)
    assert below is None or below <= odds
    assert following is None or following > odds
    above = BETFAIR.at_or_above(odds)
    assert above == (odds if odds in BETFAIR else following)


def test_a_ladder_is_strictly_ascending() -> None:
    for ticks in ([], [2, 2], [3, 2]):
        with pytest.raises(ValueError, match="strictly ascending"):
            Ladder("bad", ticks)
