"""When a provider is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from purgatory.domain.model import OpenedState

from feeds.errors import ContinuityLost, ProviderRefused
from feeds.supervision.retry import Retry
from feeds.supervision.settings import Supervision


@given(st.integers(1, 100))
def test_a_wait_is_drawn_from_nothing_to_a_ceiling_that_doubles(failures: int) -> None:
    retry = Retry("f", Supervision(backoff_start_s=0.5, backoff_ceiling_s=8.0))
    waits = [retry.wait_s(failures) for _ in range(50)]
    assert all(0 <= wait <= min(8.0, 0.5 * 2 ** (failures - 1)) for wait in waits)
    assert len(set(waits)) > 40


def test_after_many_failures_only_a_probe_comes_through() -> None:
    retry = Retry("f", Supervision(breaker_failures=3, breaker_probe_s=0.05))
    for _ in range(3):
        with pytest.raises(ContinuityLost), retry.breaker:
            raise ContinuityLost("no")
    assert retry.is_open
    with pytest.raises(OpenedState), retry.breaker:
        raise AssertionError("nothing is tried")


async def attempt_waits(retry: Retry, *errors: Exception) -> list[float]:
    """Fail with these errors in turn; give the waits before each next attempt."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    attempts = retry.attempts().copy(sleep=sleep)
    left = list(errors)
    async for attempt in attempts:
        with attempt:
            if left:
                raise left.pop(0)
    return waits


async def test_what_only_an_operator_can_mend_is_probed_seldom() -> None:
    retry = Retry("f", Supervision(breaker_probe_s=60.0, backoff_ceiling_s=1.0))
    waits = await attempt_waits(retry, OSError("cut"), ProviderRefused("KEY", "no", fatal=True))
    assert waits[0] <= 1.0
    assert 60.0 == waits[1]


async def test_a_breaker_that_is_open_is_waited_out() -> None:
    retry = Retry("f", Supervision(breaker_failures=1, breaker_probe_s=30.0, backoff_start_s=0.1))
    with pytest.raises(ContinuityLost), retry.breaker:
        raise ContinuityLost("no")
    (wait,) = await attempt_waits(retry, OpenedState("f"))
    assert 29.0 < wait < 30.2
