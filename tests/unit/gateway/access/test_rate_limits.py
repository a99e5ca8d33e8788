"""The laws of rate limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.gateway.access.rate_limits import Bucket, RateLimiter

#: Waits are sums of floats.
_TOLERANCE = 1e-6

rates = st.floats(0.01, 1000)
gaps = st.lists(st.floats(0, 10), min_size=1, max_size=60)


class Clock:
    """A clock set by the test."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@given(rate=rates, gaps=gaps)
def test_no_more_pass_than_the_burst_and_the_rate_allow(rate: float, gaps: list[float]) -> None:
    clock = Clock()
    limiter = RateLimiter(rate, clock)
    passed = 0
    for gap_s in gaps:
        clock.now_s += gap_s
        passed += limiter.delay_s("client") == 0.0
        assert passed <= max(1.0, 2 * rate) + rate * (clock.now_s - 100.0) + _TOLERANCE
    assert len(gaps) - passed == limiter.rejected


@given(rate=rates, gaps=gaps)
def test_a_retry_after_the_delay_passes(rate: float, gaps: list[float]) -> None:
    clock = Clock()
    limiter = RateLimiter(rate, clock)
    for gap_s in gaps:
        clock.now_s += gap_s
        delay_s = limiter.delay_s("client")
        assert 0.0 <= delay_s <= 1 / rate
        if delay_s:
            clock.now_s += delay_s + _TOLERANCE / rate
            assert 0.0 == limiter.delay_s("client")


def test_each_client_has_its_own_bucket() -> None:
    limiter = RateLimiter(1.0, Clock())
    assert [0.0, 0.0] == [limiter.delay_s("a"), limiter.delay_s("a")]
    assert limiter.delay_s("a")
    assert 0.0 == limiter.delay_s("b")


def test_a_rate_of_zero_limits_nobody() -> None:
    limiter = RateLimiter(0.0, Clock())
    assert {0.0} == {limiter.delay_s("a") for _ in range(1000)}


def test_the_least_recently_used_bucket_is_dropped() -> None:
    limiter = RateLimiter(0.5, Clock(), max_clients=2)
    limiter.delay_s("a")
    limiter.delay_s("b")
    assert limiter.delay_s("a"), "its one token is taken"
    limiter.delay_s("c")
    assert limiter.delay_s("a"), "it was used after b"
    assert 0.0 == limiter.delay_s("b"), "it was dropped and starts full"


def test_a_clock_that_goes_back_refills_nothing() -> None:
    bucket = Bucket(1.0, 1.0)
    assert 0.0 == bucket.take(10.0)
    assert pytest.approx(1.0) == bucket.take(5.0)
