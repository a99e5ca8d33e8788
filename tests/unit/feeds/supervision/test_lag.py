"""Lag is measured by the provider's own clock, whatever its offset."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.supervision.lag import STEP_MS, WINDOW_MS, LagMeter

SKEW = st.integers(-600_000, 600_000)


@given(SKEW, st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 5000)), min_size=1, max_size=50))
def test_lag_is_the_delay_beyond_that_of_the_promptest_message(skew: int, sent: list[tuple[int, int]]) -> None:
    meter = LagMeter()
    published, min_delay = 1_000_000, 10**9
    for gap, delay in sent:
        published += gap
        min_delay = min(min_delay, delay)
        assert delay - min_delay == meter.observe(published, published + skew + delay)
    assert 0 == meter.steps


@given(SKEW, SKEW)
def test_a_clock_that_is_set_is_not_lag(before: int, after: int) -> None:
    meter = LagMeter()
    for now in range(10_000_000, 10_010_000, 100):
        meter.observe(now - before, now)
    lags = [meter.observe(now - after, now) for now in range(10_010_000, 10_020_000, 100)]
    if after - before > STEP_MS + 100:  # set back
        assert 1 == meter.steps
        assert {0} == set(lags)
    elif after <= before:  # set forward
        assert {0} == set(lags)


def test_a_route_that_becomes_slower_for_good_is_not_lag() -> None:
    meter = LagMeter()
    meter.observe(0, 0)
    for now in range(0, 3 * WINDOW_MS, 1000):
        last = meter.observe(now, now + 400)
    assert 0 == last


def test_a_backlog_is_lag() -> None:
    meter = LagMeter()
    for now in range(0, 10_000, 100):
        meter.observe(now, now + 20)
    assert 7_000 == meter.observe(10_000, 17_020)
    assert 0 == meter.observe(18_000, 18_020)
