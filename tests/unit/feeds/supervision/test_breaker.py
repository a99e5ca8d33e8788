"""Which attempts a circuit breaker allows."""

from __future__ import annotations

import asyncio

import pytest

from feeds.supervision.breaker import BreakerOpen, BreakerState, CircuitBreaker

PROBE_S = 60.0


class Provider:
    """A provider behind a breaker that opens after three failures, at a time that the test sets."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.breaker = CircuitBreaker(3, PROBE_S, clock=lambda: self.now_s)

    def attempt(self, error: BaseException | None = None) -> None:
        """Make an attempt that succeeds, or fails with an error."""
        if error is None:
            with self.breaker:
                return
        with pytest.raises(type(error)), self.breaker:
            raise error

    def open(self) -> None:
        """Fail until the breaker opens."""
        for _ in range(3):
            self.attempt(OSError())
        assert self.breaker.state is BreakerState.OPEN


def test_a_success_between_failures_keeps_it_closed() -> None:
    provider = Provider()
    for error in (OSError(), OSError(), None, OSError(), OSError()):
        provider.attempt(error)
    assert provider.breaker.state is BreakerState.CLOSED
    assert 0.0 == provider.breaker.wait_s()


def test_failures_in_a_row_open_it_and_nothing_is_attempted_until_a_probe_is_due() -> None:
    provider = Provider()
    provider.open()
    assert provider.breaker.wait_s() == PROBE_S
    provider.now_s += PROBE_S - 1.0
    with pytest.raises(BreakerOpen), provider.breaker:
        raise AssertionError("an attempt was made")
    provider.now_s += 1.0
    with provider.breaker:
        assert provider.breaker.state is BreakerState.HALF_OPEN


def test_a_probe_that_succeeds_closes_it() -> None:
    provider = Provider()
    provider.open()
    provider.now_s += PROBE_S
    provider.attempt()
    assert provider.breaker.state is BreakerState.CLOSED
    provider.attempt(OSError())
    assert provider.breaker.state is BreakerState.CLOSED


def test_a_probe_that_fails_opens_it_for_as_long_again() -> None:
    provider = Provider()
    provider.open()
    provider.now_s += PROBE_S
    provider.attempt(OSError())
    assert provider.breaker.state is BreakerState.OPEN
    assert provider.breaker.wait_s() == PROBE_S


def test_a_cancelled_attempt_does_not_count() -> None:
    provider = Provider()
    for _ in range(3):
        provider.attempt(asyncio.CancelledError())
    assert provider.breaker.state is BreakerState.CLOSED
