"""Bounds how often a log event is logged that may happen for each message or request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

PERIOD_S: Final = 60.0
#: Enough for an operator to see what they have in common.
LINES: Final = 5


class LineLimit:
    """Passes the first few of a period on, and counts the others.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began_s = clock()
        self._logged = 0
        self._left_out = 0

    def take(self) -> int | None:
        """Return how many were left out since the last line; None if this one is to be left out as well."""
        now_s = self._clock()
        if now_s - self._began_s >= PERIOD_S:
            self._began_s, self._logged = now_s, 0
        if self._logged >= LINES:
            self._left_out += 1
            return None
        self._logged += 1
        left_out, self._left_out = self._left_out, 0
        return left_out
