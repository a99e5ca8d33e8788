"""Messages are ordered by the provider's clock, which may be set back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.toolkit.timestamps import CLOCK_SET_MS, is_older

TIME = st.integers(0, 2**42)
STEP = st.integers(1, CLOCK_SET_MS - 1)


@given(TIME, STEP)
def test_a_message_a_little_earlier_is_older(time_ms: int, step_ms: int) -> None:
    assert is_older(time_ms, time_ms + step_ms)
    assert not is_older(time_ms + step_ms, time_ms)


@given(TIME, st.integers(CLOCK_SET_MS, 2**42))
def test_a_message_far_earlier_is_newer_by_a_clock_that_was_set(time_ms: int, step_ms: int) -> None:
    assert not is_older(time_ms, time_ms + step_ms)


@given(TIME)
def test_a_message_of_the_same_time_is_not_older(time_ms: int) -> None:
    assert not is_older(time_ms, time_ms)
