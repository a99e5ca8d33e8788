"""The system's clock may be set at any moment: durations go on, what is compared with the world follows."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from oddsengine.common.clock import ProcessClock
from oddsengine.common.tasks import end_tasks

HOUR_MS = 3_600_000


class FakeTime:
    """The system's clock and the monotonic one."""

    def __init__(self) -> None:
        self.wall_s = 1_800_000_000.0
        self.monotonic_s = 50.0
        self.clock = ProcessClock(lambda: self.wall_s, lambda: self.monotonic_s)

    def passes(self, seconds: float) -> None:
        self.wall_s += seconds
        self.monotonic_s += seconds


@pytest.mark.parametrize("step_s", [-3600.0, 10.0, 86_400.0])
def test_a_step_is_logged_and_changes_no_duration(step_s: float) -> None:
    time = FakeTime()
    began_ms = time.clock.now_ms()
    time.passes(5)
    with capture_logs() as logs:
        time.wall_s += step_s
        assert time.clock.check()
        assert not time.clock.check()
        time.passes(5)
        assert not time.clock.check()
    assert began_ms + 10_000 == time.clock.now_ms()
    assert round(time.wall_s * 1000) == time.clock.wall_ms()
    assert [step_s] == [line["by_s"] for line in logs]


def test_steps_that_undo_each_other_leave_nothing() -> None:
    time = FakeTime()
    for step_s in (-3600.0, 3600.0):
        time.wall_s += step_s
        assert time.clock.check()
    assert (0, time.clock.now_ms()) == (time.clock.step_ms, time.clock.wall_ms())


def test_small_corrections_are_no_step() -> None:
    time = FakeTime()
    time.wall_s += 0.2
    assert not time.clock.check()


async def test_everybody_who_watches_is_told() -> None:
    """Also one that begins after the step."""
    time = FakeTime()
    told: list[int] = []
    tasks = [asyncio.create_task(time.clock.watch(told.append))]
    await asyncio.sleep(0)
    assert [] == told
    time.wall_s -= 3600
    tasks += [asyncio.create_task(time.clock.watch(told.append)) for _ in range(2)]
    await asyncio.sleep(0)
    assert [-HOUR_MS] * 2 == told
    await end_tasks(tasks)
