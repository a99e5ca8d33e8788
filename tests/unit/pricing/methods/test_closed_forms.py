"""The written-out solvers for two and three outcomes agree with the general ones."""

from __future__ import annotations

from math import fsum
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from oddsengine.pricing.methods.closed_forms import (
    odds_ratio_of_three,
    odds_ratio_of_two,
    power_of_three,
    power_of_two,
    shin_insiders_of_three,
)
from oddsengine.pricing.methods.solvers import NoSolution, odds_ratio_of_many, power, power_of_many, shin_insiders_of_many

TWO = st.tuples(*[st.floats(0.01, 0.9)] * 2)
THREE = st.tuples(*[st.floats(0.01, 0.9)] * 3)
TARGETS = st.floats(0.5, 1.6)


@pytest.mark.parametrize("solve", [power_of_two, power_of_three])
@given(data=st.data(), target=TARGETS)
def test_power(solve: Any, data: st.DataObject, target: float) -> None:
    values = data.draw(TWO if solve is power_of_two else THREE)
    general_k, general = power_of_many(values, target)
    assume(general_k > 0)
    k, powers = solve(values, target)
    assert general_k == pytest.approx(k, rel=1e-9)
    assert general == pytest.approx(powers, abs=1e-11)


@pytest.mark.parametrize("values", [(0.5, 0.6), (0.5, 0.6, 0.7), (0.5, 0.6, 0.7, 0.8)])
def test_power_has_no_solution_for_a_sum_that_only_a_negative_exponent_reaches(values: tuple[float, ...]) -> None:
    with pytest.raises(NoSolution, match="exponent"):
        power(values, len(values) + 1)


@given(values=TWO, target=TARGETS)
def test_odds_ratio_of_two(values: Any, target: float) -> None:
    assert odds_ratio_of_many(values, target) == pytest.approx(odds_ratio_of_two(values, target), abs=1e-11)


@given(values=THREE, target=TARGETS)
def test_odds_ratio_of_three(values: Any, target: float) -> None:
    found = odds_ratio_of_three(values, target)
    assert found is None or odds_ratio_of_many(values, target) == pytest.approx(found, abs=1e-11)


@given(values=st.tuples(*[st.floats(0.05, 0.6)] * 3))
def test_share_of_insiders_of_three(values: Any) -> None:
    assume(1.0 < fsum(values) < 1.4)
    assert shin_insiders_of_many(values, fsum(values)) == pytest.approx(shin_insiders_of_three(values), abs=1e-10)
