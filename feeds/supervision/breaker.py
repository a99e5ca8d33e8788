"""A circuit breaker: after several failures in a row, attempts are refused, but for an occasional probe.

    closed ── tripped ──> opened ── probe due ──> half-opened ── succeeded ──> closed
                                                  half-opened ── failed ──> opened

Source: Nygard, "Release It!", second edition 2018, "Circuit Breaker".
"""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class BreakerState(Enum):
    """Which attempts are made. The values are those of `GET /v1/feeds`."""

    #: all
    CLOSED = "closed"
    #: none until the next probe is due
    OPEN = "opened"
    #: a probe is in progress
    HALF_OPEN = "half-opened"


class BreakerOpen(Exception):
    """An attempt was refused: the next probe is not due yet."""


class CircuitBreaker:
    """Wraps each attempt as a context manager. An exception that leaves the context is a failure; a cancellation is neither.

    Args:
        max_failures: failures in a row that open it.
        probe_s: seconds from when it opens to the next probe.
        clock: monotonic seconds.
    """

    def __init__(self, max_failures: int, probe_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.state = BreakerState.CLOSED
        self._max_failures = max_failures
        self._probe_s = probe_s
        self._clock = clock
        self._failures = 0
        self._probe_due_s = 0.0

    def wait_s(self) -> float:
        """Return the seconds until an attempt is allowed."""
        return max(0.0, self._probe_due_s - self._clock()) if self.state is BreakerState.OPEN else 0.0

    def __enter__(self) -> None:
        if self.wait_s() > 0.0:
            raise BreakerOpen
        if self.state is BreakerState.OPEN:
            self.state = BreakerState.HALF_OPEN

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self.state, self._failures = BreakerState.CLOSED, 0
        elif isinstance(error, Exception):
            self._failures += 1
            if self.state is BreakerState.HALF_OPEN or self._failures >= self._max_failures:
                self.state, self._probe_due_s = BreakerState.OPEN, self._clock() + self._probe_s
