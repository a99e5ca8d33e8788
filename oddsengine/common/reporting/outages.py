"""Logs an outage once when it begins and once when it ends, however many users retry meanwhile."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: An outage is logged when it begins, for each other cause, this often for a cause that lasts, and when it ends.
REPEAT_S: Final = 60.0
_log = structlog.get_logger(__name__)


class Outage:
    """Something that several users need, and that may fail for each of them.

    It lasts from the first failure until every user that has failed has succeeded or left.

    Args:
        event: the log event of a failure.
        end_event: the log event of the end.
        clock: monotonic seconds.
    """

    def __init__(self, event: str, end_event: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._event = event
        self._end_event = end_event
        self._clock = clock
        self._failing: set[str] = set()
        self._began_s = 0.0
        #: when each cause of the present outage was logged
        self._logged_s: dict[str, float] = {}
        self._failures = 0

    @property
    def is_ongoing(self) -> bool:
        """Whether any user has failed, and has not succeeded since."""
        return bool(self._failing)

    def failed(self, user: str, cause: str, **details: Any) -> None:
        """Note a failure, and log it if it begins an outage, or if its cause was not logged for a while.

        Args:
            user: who has failed.
            cause: the kind of failure, one of few values.
            details: what else to log.
        """
        now_s = self._clock()
        begins = not self._failing
        self._failing.add(user)
        if begins:
            self._began_s, self._failures = now_s, 0
            self._logged_s.clear()
        self._failures += 1
        if now_s - self._logged_s.get(cause, -math.inf) >= REPEAT_S:
            self._logged_s[cause] = now_s
            lasted = {} if begins else {"for_s": round(now_s - self._began_s, 1), "failures": self._failures}
            _log.error(self._event, cause=cause, user=user, **details, **lasted)

    @contextmanager
    def used_by(self, user: str) -> Iterator[None]:
        """Note at the end of the context that a user has stopped trying, however it has ended."""
        try:
            yield
        finally:
            self.worked(user)

    def worked(self, user: str) -> None:
        """Note that a user has succeeded, or has stopped trying."""
        if user not in self._failing:
            return
        self._failing.discard(user)
        if not self._failing:
            after_s = round(self._clock() - self._began_s, 1)
            _log.info(self._end_event, user=user, after_s=after_s, failures=self._failures)
