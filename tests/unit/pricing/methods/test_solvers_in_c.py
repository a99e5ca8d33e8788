"""The solvers and the fit in C have the results of those in Python, to the last digit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.common import speedups
from oddsengine.pricing.methods.bounds import Fit, fit_in_python
from oddsengine.pricing.methods.solvers import (
    NoSolution,
    odds_ratio_of_many,
    power_of_many,
    shin_apply_of_any,
    shin_remove_of_many,
)
from tests.support.laws.examples import examples

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(speedups.solvers is None, reason="the solvers in C are not built")

SOLVERS: Any = speedups.solvers
PAIRS: tuple[tuple[Any, Callable[..., Any]], ...] = (
    ()
    if SOLVERS is None
    else (
        (SOLVERS.power, power_of_many),
        (SOLVERS.odds_ratio, odds_ratio_of_many),
        (SOLVERS.shin_remove, shin_remove_of_many),
        (SOLVERS.shin_apply, shin_apply_of_any),
    )
)

shares = st.lists(st.floats(1e-9, 1.0, exclude_max=True), min_size=4, max_size=45)


@examples(100)
@given(values=shares, target=st.floats(0.1, 8.0))
def test_they_have_the_same_results_or_none(values: list[float], target: float) -> None:
    for in_c, in_python in PAIRS:
        found = in_c(values, target)
        try:
            expected = in_python(values, target)
        except (ArithmeticError, ValueError, NoSolution):
            expected = None
        assert found is None or expected == found


@examples(50)
@given(weights=st.lists(st.floats(0.01, 1.0), min_size=4, max_size=45), book_sum=st.floats(1.01, 1.4))
def test_they_decide_what_books_are_made_of(weights: list[float], book_sum: float) -> None:
    total = sum(weights)
    fair = [weight / total for weight in weights]
    for in_c, in_python in PAIRS:
        is_quoted = in_python is shin_remove_of_many
        values, target = ([each * book_sum for each in fair], book_sum) if is_quoted else (fair, book_sum)
        if max(values) < 0.9:
            try:
                expected = in_python(values, target)
            except NoSolution:
                expected = None
            assert expected == in_c(values, target)


@pytest.mark.parametrize("values", [(), [0.2] * 300, [0.5, 1], [0.5, 1.0], [0.5, float("nan")], [0.5, -0.1], {0.5: 1}, "ab"])
def test_what_is_no_share_is_left_to_python(values: Any) -> None:
    assert all(in_c(values, 1.0) is None for in_c, _ in PAIRS)
    assert all(in_c([0.5, 0.6], target) is None for in_c, _ in PAIRS for target in (1, 0.0, float("inf"), float("nan"), None))


def test_they_take_two_arguments() -> None:
    for in_c, _ in PAIRS:
        with pytest.raises(TypeError, match="2 arguments"):
            in_c([0.5, 0.6])


_ABSURD = st.sampled_from((0.0, 0.5, 1.0, -1.0, 5e-324, 1e99, 1e308, -1e308, math.inf, -math.inf, math.nan))
bounded = st.tuples(st.none() | st.floats(0.001, 0.999), st.floats(0.0, 0.9), st.floats(0.0, 0.9))


@examples(200)
@given(rows=st.lists(bounded, max_size=12), winners=st.integers(1, 3), scale=st.floats(0.3, 1.5), is_ordered=st.booleans())
def test_probabilities_are_fitted_alike(
    rows: list[tuple[float | None, float, float]], winners: int, scale: float, is_ordered: bool
) -> None:
    total = sum(each or 0.1 for each, _, _ in rows) or 1.0
    implied = [None if each is None else each / total * winners * scale for each, _, _ in rows]
    lows = [low / (1 + len(rows)) * winners for _, low, _ in rows]
    highs = [high if is_ordered else low + high / 2 for low, (_, _, high) in zip(lows, rows, strict=True)]
    expected, found = fit_in_python(implied, lows, highs, winners), SOLVERS.fit(implied, lows, highs, winners)
    assert expected == found or (found is NotImplemented and expected is None)


@given(st.lists(st.tuples(_ABSURD, _ABSURD, _ABSURD), max_size=4), st.sampled_from((0, 1, 10**400)))
def test_what_is_no_probability_contradicts_itself_and_is_no_error(rows: list[tuple[float, float, float]], winners: int) -> None:
    implied, lows, highs = ([row[at] for row in rows] for at in range(3))
    in_python = fit_in_python(implied, lows, highs, winners)
    found = SOLVERS.fit(implied, lows, highs, winners)
    assert repr(in_python) == repr(found if found is None else in_python if found is NotImplemented else Fit(*found))


@pytest.mark.parametrize(
    "arguments",
    [((), [], [], 1), ([1], [0.0], [1.0], 1), ([0.5], [0], [1.0], 1), ([0.5], [], [1.0], 1), ([0.5], [0.0], [1.0], 1.0)],
)
def test_what_is_no_list_of_numbers_is_left_to_python(arguments: tuple[Any, ...]) -> None:
    assert SOLVERS.fit(*arguments) is NotImplemented
