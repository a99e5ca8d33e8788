"""Decides when a failed feed is tried again: full jitter, and after many failures a circuit breaker that allows only probes.

Full jitter (a wait drawn between 0 and a doubling ceiling) spreads the load of clients that failed together: Brooker,
"Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from feeds.errors import FeedError, ProviderRefused
from feeds.supervision.breaker import BreakerOpen, BreakerState, CircuitBreaker

if TYPE_CHECKING:
    from collections.abc import Callable

    from feeds.supervision.settings import Supervision


#: The longest wait that a provider is granted: one that asks for years by mistake is found to be back all the same.
_MAX_HOLD_S: Final = 3600.0


class Retry:
    """Schedules the attempts of one feed.

    Args:
        supervision: the feed's limits and waits.
        clock: monotonic seconds.
    """

    def __init__(self, supervision: Supervision, clock: Callable[[], float] = time.monotonic) -> None:
        self._wait = wait_random_exponential(multiplier=supervision.backoff_start_s, max=supervision.backoff_ceiling_s)
        self._probe_s = supervision.breaker_probe_s
        self.breaker = CircuitBreaker(supervision.breaker_failures, supervision.breaker_probe_s, clock)
        #: failed attempts since the feed was last live
        self.failures = 0
        #: failed requests in a row, on this connection and the ones before
        self.failed_requests = 0
        #: when the next request may be made, in seconds of a monotonic clock
        self._held_until_s = 0.0

    def request_succeeded(self) -> None:
        """Record that a request was answered."""
        self.failed_requests, self._held_until_s = 0, 0.0

    def request_failed(self, now_s: float, retry_after_s: float | None) -> None:
        """Record that a request failed: the next one waits, over reconnections too.

        It waits no less than the provider asks for, but for an hour at most.

        Args:
            now_s: seconds of a monotonic clock.
            retry_after_s: what the provider asks for, None if it does not.
        """
        self.failed_requests += 1
        self._held_until_s = now_s + max(self.wait_s(self.failed_requests), min(retry_after_s or 0.0, _MAX_HOLD_S))

    def hold_s(self, now_s: float) -> float:
        """Return how many seconds the next request has to wait."""
        return max(0.0, self._held_until_s - now_s)

    @property
    def is_open(self) -> bool:
        """Whether the breaker allows only probes."""
        return self.breaker.state is not BreakerState.CLOSED

    def attempts(self) -> AsyncRetrying:
        """Return an iterator over attempts that waits between them, until one succeeds or the caller is cancelled."""
        return AsyncRetrying(wait=self._wait_s, retry=retry_if_exception_type((OSError, FeedError, BreakerOpen)))

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
        if isinstance(error, BreakerOpen):
            return self.breaker.wait_s() + self.wait_s(1)
        return float(self._wait(state))
