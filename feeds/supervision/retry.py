"""Decides when a failed feed is tried again: full jitter, and after many failures a circuit breaker that allows only probes.

Full jitter (a wait drawn between 0 and a doubling ceiling) spreads the load of clients that failed together: Brooker,
"Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from purgatory.domain.model import Context, OpenedState
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from feeds.errors import FeedError, ProviderRefused

if TYPE_CHECKING:
    from feeds.supervision.settings import Supervision


class Retry:
    """Schedules the attempts of one feed.

    Args:
        name: the feed's name.
        supervision: the feed's limits and waits.
    """

    def __init__(self, name: str, supervision: Supervision) -> None:
        self._wait = wait_random_exponential(multiplier=supervision.backoff_start_s, max=supervision.backoff_ceiling_s)
        self._probe_s = supervision.breaker_probe_s
        self.breaker = Context(name, supervision.breaker_failures, supervision.breaker_probe_s)
        #: failed attempts since the feed was last live
        self.failures = 0

    @property
    def is_open(self) -> bool:
        """Whether the breaker allows only probes."""
        return self.breaker.state != "closed"

    def attempts(self) -> AsyncRetrying:
        """Return an iterator over attempts that waits between them, until one succeeds or the caller is cancelled."""
        return AsyncRetrying(wait=self._wait_s, retry=retry_if_exception_type((OSError, FeedError, OpenedState)))

    def wait_s(self, failures: int) -> float:
        """Draw a wait in seconds, after a number of failures in a row."""
        state = RetryCallState(AsyncRetrying(), None, (), {})
        state.attempt_number = max(failures, 1)
        return float(self._wait(state))

    def _wait_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        self.failures = state.attempt_number
        if isinstance(error, ProviderRefused) and error.fatal:
            # Only an operator can fix it; a probe finds out when that has happened.
            return self._probe_s
        if isinstance(error, OpenedState):
            return max(0.0, error.opened_at + self.breaker.ttl - time.time()) + self.wait_s(1)
        return float(self._wait(state))
