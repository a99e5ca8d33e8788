"""Time slices of flushes by a clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from oddsengine.engine.flushing.cut_flush import WHOLE_UP_TO

if TYPE_CHECKING:
    from collections.abc import Callable

#: How long the flushes of all shards work in a turn of the event loop, if they have a lot to do.
TIME_SLICE_S: Final = 0.01


class ClockedSlice:
    """A time slice of one shard.

    Args:
        clock: monotonic seconds.
        slice_s: how long it lasts if no other shard has a lot to do.
    """

    whole_up_to: int = WHOLE_UP_TO

    def __init__(self, clock: Callable[[], float] = time.monotonic, slice_s: float = TIME_SLICE_S) -> None:
        self._clock = clock
        self._slice_s = slice_s
        self._ends_s = 0.0

    def begin(self, sharers: int) -> None:
        """Start; the time is shared among a number of shards."""
        self._ends_s = self._clock() + self._slice_s / max(sharers, 1)

    def has_time(self) -> bool:
        """Check whether the slice has not ended."""
        return self._clock() < self._ends_s
