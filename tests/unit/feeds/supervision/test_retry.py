"""When a failed provider is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import ContinuityLost, ProviderRefused
from feeds.supervision.breaker import BreakerOpen
from feeds.supervision.retry import Retry
from feeds.supervision.settings import Supervision


@given(st.integers(1, 100))
def test_a_wait_is_drawn_between_zero_and_a_doubling_ceiling(failures: int) -> None:
    retry = Retry(Supervision(backoff_start_s=0.5, backoff_ceiling_s=8.0))
    waits = [retry.wait_s(failures) for _ in range(50)]
    assert all(0 <= wait <= min(8.0, 0.5 * 2 ** (failures - 1)) for wait in waits)
    assert len(set(waits)) > 40


async def attempt_waits(retry: Retry, *errors: Exception) -> list[float]:
    """Fail with these errors in turn. Return the waits before the next attempts."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    attempts = retry.attempts().copy(sleep=sleep)
    remaining = list(errors)
    async for attempt in attempts:
        with attempt:
            if remaining:
                raise remaining.pop(0)
    return waits


async def test_an_error_that_only_an_operator_can_fix_is_retried_at_the_probe_interval() -> None:
    retry = Retry(Supervision(breaker_probe_s=60.0, backoff_ceiling_s=1.0))
    waits = await attempt_waits(retry, OSError("cut"), ProviderRefused("KEY", "no", fatal=True))
    assert waits[0] <= 1.0
    assert 60.0 == waits[1]


async def test_an_open_breaker_is_waited_for() -> None:
    retry = Retry(Supervision(breaker_failures=1, breaker_probe_s=30.0, backoff_start_s=0.1), clock=lambda: 7.0)
    with pytest.raises(ContinuityLost), retry.breaker:
        raise ContinuityLost("no")
    assert retry.is_open
    (wait,) = await attempt_waits(retry, BreakerOpen())
    assert 30.0 <= wait <= 30.1


def test_a_failed_request_holds_the_next_one_no_less_than_the_provider_asks_for() -> None:
    retry = Retry(Supervision(backoff_start_s=0.5, backoff_ceiling_s=8.0))
    assert 0.0 == retry.hold_s(100.0)
    retry.request_failed(100.0, None)
    assert 0.0 <= retry.hold_s(100.0) <= 0.5
    retry.request_failed(100.0, 60.0)
    assert 60.0 == retry.hold_s(100.0)
    assert 20.0 == retry.hold_s(140.0)
    retry.request_failed(100.0, 1e9)
    assert 3600.0 == retry.hold_s(100.0), "it may have meant something else"
    retry.request_succeeded()
    assert 0.0 == retry.hold_s(100.0)
    assert 0 == retry.failed_requests


def test_failed_requests_in_a_row_wait_longer() -> None:
    retry = Retry(Supervision(backoff_start_s=0.5, backoff_ceiling_s=64.0))
    holds = []
    for _ in range(60):
        retry.request_failed(0.0, None)
        holds.append(retry.hold_s(0.0))
    assert max(holds[:2]) <= 1.0
    assert 8.0 < max(holds[8:]) <= 64.0
