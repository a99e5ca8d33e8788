"""A clock that does not count the time for which this process itself stood still.

The emulated provider, the subscriber and the judge share an event loop. On a busy machine it may get no processor for a while:
what has arrived meanwhile is seen late, and must not be taken for late.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: While a loop runs it asks for the time far more often. Of a longer gap only this much counts.
MAX_GAP_S: Final = 0.1


class LoopClock:
    """Seconds that a loop has lived through, in which something asks for the time every few milliseconds.

    Args:
        monotonic_s: monotonic seconds.
    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._asked_s = monotonic_s()
        #: for how long it stood still
        self.lost_s = 0.0

    def now_s(self) -> float:
        """Return the time."""
        now_s = self._monotonic_s()
        self.lost_s += max(0.0, now_s - self._asked_s - MAX_GAP_S)
        self._asked_s = now_s
        return now_s - self.lost_s


#: The clock of this process.
LOOP_CLOCK: Final = LoopClock()
loop_time_s: Final = LOOP_CLOCK.now_s
