"""A replay keeps the speed it was given."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.runtime.replay import ReplayClock

TIMES_MS = st.lists(st.integers(1, 10_000), min_size=1, max_size=20).map(
    lambda steps: [1_700_000_000_000 + sum(steps[: i + 1]) for i in range(len(steps))]
)


@given(TIMES_MS, st.sampled_from([0.5, 1.0, 50.0]))
def test_each_time_is_due_when_the_speed_says(times_ms: list[int], speed: float) -> None:
    """Sleeping as long as the clock says, every line is read at its distance from the first, divided by the speed."""
    now_s = 100.0
    clock = ReplayClock(speed, lambda: now_s)
    for at_ms in times_ms:
        now_s += clock.delay_s(at_ms)
        assert abs(now_s - (100.0 + (at_ms - times_ms[0]) / 1000 / speed)) < 1e-6
        assert clock.delay_s(at_ms) < 1e-6, "it is due now"


def test_full_speed_never_waits() -> None:
    clock = ReplayClock(None)
    assert [0.0, 0.0] == [clock.delay_s(1_700_000_000_000), clock.delay_s(1_800_000_000_000)]


def test_lines_before_the_first_known_time_do_not_wait() -> None:
    now_s = 5.0
    clock = ReplayClock(1.0, lambda: now_s)
    assert 0.0 == clock.delay_s(0)
    assert 0.0 == clock.delay_s(1_700_000_000_000)
    assert 2.0 == clock.delay_s(1_700_000_002_000)


def test_a_late_reader_does_not_wait() -> None:
    now_s = 5.0
    clock = ReplayClock(1.0, lambda: now_s)
    clock.delay_s(1_700_000_000_000)
    now_s = 60.0
    assert 0.0 == clock.delay_s(1_700_000_002_000)
