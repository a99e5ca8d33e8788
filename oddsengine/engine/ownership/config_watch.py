"""Finds that engines of one installation are configured differently.

Each prices the shards that it owns by its own rules, so subscribers would see some events at the prices of one config and some at
those of another, and a market would change its price with its owner.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Longer than it takes to replace the file on one machine after the other.
_TOLERATED_S: Final = 15.0
_REPEAT_S: Final = 60.0
_log = structlog.get_logger(__name__)


class ConfigWatch:
    """Logs for how long engines are configured differently.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: since when they are; None while they are not
        self._since_s: float | None = None
        self._logged_s: float | None = None

    def note(self, others: Sequence[str]) -> None:
        """Note the engines that are alive and configured otherwise than this one."""
        now_s = self._clock()
        if not others:
            if self._logged_s is not None:
                _log.info("engines are configured alike again")
            self._since_s = self._logged_s = None
            return
        if self._since_s is None:
            self._since_s = now_s
        lasted_s = now_s - self._since_s
        if lasted_s >= _TOLERATED_S and (self._logged_s is None or now_s - self._logged_s >= _REPEAT_S):
            self._logged_s = now_s
            _log.warning("engines are configured differently", others=sorted(others), for_s=round(lasted_s))
