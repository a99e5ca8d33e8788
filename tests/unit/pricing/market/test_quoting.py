"""From probabilities to quoted odds: pooling, skew and shift."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from oddsengine.pricing import METHODS
from oddsengine.pricing.market.quoting import quote_book, with_pooled
from oddsengine.pricing.profiles.profile import Profile

if TYPE_CHECKING:
    from oddsengine.pricing.methods.margin import Method

KEYS = ("a", "b", "c")
FAIR = st.lists(st.floats(0.05, 1.0), min_size=3, max_size=3).map(lambda weights: [each / fsum(weights) for each in weights])


@given(fair=FAIR, index=st.integers(0, 2), probability=st.floats(0.01, 0.95))
def test_pooling_keeps_the_sum_and_the_ratios_of_the_others(fair: list[float], index: int, probability: float) -> None:
    assume(fair[index] < 0.95)
    pooled = [each for each in with_pooled(fair, index, probability) if each is not None]
    assert probability == pooled[index]
    assert 1.0 == pytest.approx(fsum(pooled))
    first, second = (at for at in range(3) if at != index)
    assert fair[first] / fair[second] == pytest.approx(pooled[first] / pooled[second])


@given(
    fair=FAIR,
    factor=st.floats(0.8, 1.2),
    method=st.sampled_from(METHODS),
    book_sum=st.floats(1.0, 1.2),
    skew=st.floats(0.8, 1.2),
    shift=st.floats(-0.2, 0.2),
)
def test_skew_and_shift_leave_the_book_sum(
    fair: list[float], factor: float, method: Method, book_sum: float, skew: float, shift: float
) -> None:
    profile = Profile(method=method, book_sum=book_sum, skew=skew, shift={"a": shift})
    quotes = quote_book(KEYS, [factor / each for each in fair], factor, 1, profile)
    assert book_sum == pytest.approx(fsum(1 / each for each in quotes if each is not None), rel=1e-6)


def test_an_incomplete_book_is_quoted_in_proportion() -> None:
    profile = Profile(method="shin", book_sum=1.25)
    assert [1.6, None, 3.2] == quote_book(KEYS, [2.0, None, 4.0], 1.0, 1, profile)
