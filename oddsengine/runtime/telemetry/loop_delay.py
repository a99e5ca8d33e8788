"""Delay of an event loop, how late it runs what is due: the first sign that a process has too much to do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from oddsengine.common.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oddsengine.runtime.telemetry.metrics import Sample

_BOUNDS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class LoopDelay:
    """Measures the delay of a task that sleeps again and again.

    Args:
        interval_s: how long it sleeps.
        clock: monotonic seconds.
    """

    def __init__(self, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._due_s = 0.0
        self.seconds = Histogram(_BOUNDS_S)

    def sleep(self) -> None:
        """Note that the task goes to sleep now."""
        self._due_s = self._clock() + self._interval_s

    def woke(self) -> None:
        """Note that the task was woken."""
        self.seconds.observe(max(0.0, self._clock() - self._due_s))

    def samples(self) -> Iterable[Sample]:
        """Yield the metrics."""
        yield "oddsengine_loop_delay_seconds", (), self.seconds
