"""The last resort for errors that nothing expected: each is counted, and logged without filling the log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

#: The same error is logged again no sooner than this.
_LOG_AGAIN_S: Final = 60.0
_MAX_KINDS: Final = 1000
_log = structlog.get_logger(__name__)


class InternalErrors:
    """Counts unexpected errors, and logs each kind of them with its traceback once a minute at most.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged_s: dict[tuple[str, type[BaseException]], float] = {}
        self.total = 0

    def note(self, where: str, problem: Exception) -> None:
        """Count an error and log it, if that kind of error was not logged there within the last minute.

        Args:
            where: what was being done, one of few values.
            problem: the error.
        """
        self.total += 1
        kind, now_s = (where, type(problem)), self._clock()
        if now_s - self._logged_s.get(kind, float("-inf")) < _LOG_AGAIN_S:
            return
        if len(self._logged_s) >= _MAX_KINDS:
            self._logged_s.clear()
        self._logged_s[kind] = now_s
        _log.error("internal error", where=where, total=self.total, exc_info=problem)
