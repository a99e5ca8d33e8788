"""The clock of a process. Whatever decides by time takes its clock as an argument; this is the default for it."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

#: The system's clock is compared with ours this often, and was set if they differ by more than this.
_CHECK_S: Final = 1.0
_STEP_MS: Final = 500
_log = structlog.get_logger(__name__)


class ProcessClock:
    """Unix time by a clock that is never set: it starts at the system's time and goes on with the monotonic clock.

    So no duration is wrong when the system's clock is set, by hand or because it was wrong.

    Args:
        wall_s: the system's time, Unix seconds.
        monotonic_s: monotonic seconds.
    """

    def __init__(self, wall_s: Callable[[], float] = time.time, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._wall_s = wall_s
        self._monotonic_s = monotonic_s
        self._offset_s = wall_s() - monotonic_s()
        #: how far the system's clock was set ahead since the start of the process
        self.step_ms = 0

    def now_ms(self) -> int:
        """Return the time in Unix milliseconds, for durations."""
        return int((self._monotonic_s() + self._offset_s) * 1000)

    def wall_ms(self) -> int:
        """Return the system's time in Unix milliseconds, for what is compared with the world: starts, times that are shown."""
        return self.now_ms() + self.step_ms

    def check(self) -> bool:
        """Notice and log whether the system's clock was set since the last check."""
        step_ms = round(self._wall_s() * 1000) - self.now_ms()
        if abs(step_ms - self.step_ms) < _STEP_MS:
            return False
        by_s, self.step_ms = (step_ms - self.step_ms) / 1000, step_ms
        _log.warning("system clock was set, durations are not affected", by_s=round(by_s, 3))
        return True

    async def watch(self, stepped: Callable[[int], None]) -> None:
        """Check periodically until cancelled.

        Args:
            stepped: is called with `step_ms` whenever it has changed.
        """
        known_ms = 0
        while True:
            self.check()
            if self.step_ms != known_ms:
                known_ms = self.step_ms
                stepped(known_ms)
            await asyncio.sleep(_CHECK_S)


#: The clock of this process: one for all, so that no two times by different clocks are compared.
CLOCK: Final = ProcessClock()
#: The time in Unix milliseconds, for durations.
wall_clock_ms: Final = CLOCK.now_ms


def iso_time(ms: int, precision: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """Return a time, Unix milliseconds, as ISO 8601 in UTC, such as `2026-03-01T15:00:00Z`."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec=precision).replace("+00:00", "Z")
