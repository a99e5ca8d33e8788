"""The search finds the highest rate that a system keeps up with, from any start and on a busy machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load.search import Measurement, find_max_rate, find_saturation


@given(capacity=st.floats(10.0, 1e6), start=st.floats(1.0, 1000.0))
def test_what_is_found_is_kept_up_with_and_little_more_is_not(capacity: float, start: float) -> None:
    found = find_max_rate(lambda rate: Measurement(rate, 1.0, kept_up=rate <= capacity), min(start, capacity * 100))
    assert capacity * 0.95 <= found.deltas_per_s <= capacity


def test_one_bad_moment_of_the_machine_does_not_count() -> None:
    tried: list[float] = []

    def measure(rate: float) -> Measurement:
        tried.append(rate)
        return Measurement(rate, 1.0, kept_up=rate <= 1000 and len(tried) % 2 == 0)

    assert find_max_rate(measure, 500.0).deltas_per_s == pytest.approx(1000, rel=0.05)


def test_who_keeps_up_with_nothing_has_nothing() -> None:
    assert find_max_rate(lambda rate: Measurement(rate, 1.0, kept_up=False), 1000.0).deltas_per_s == 0


@given(capacity=st.floats(501.0, 1e6))
def test_one_step_more_than_saturation_is_too_much(capacity: float) -> None:
    assert capacity / 1.5 <= find_saturation(lambda rate: rate <= capacity) <= capacity
