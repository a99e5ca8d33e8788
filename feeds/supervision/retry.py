"""When to try again: full jitter after failures, and a breaker that lets only probes through after many of them.

Full jitter (a wait drawn from 0 to a doubling ceiling) spreads clients that failed together best: Brooker, "Exponential
Backoff And Jitter", AWS Architecture Blog, 2015.
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
    """Decides on one feed's attempts.

    Args:
        name: the feed's name.
        supervision: its waits.
    """

    def __init__(self, name: str, supervision: Supervision) -> None:
        self._wait = wait_random_exponential(multiplier=supervision.backoff_start_s, max=supervision.backoff_ceiling_s)
        self._probe_s = supervision.breaker_probe_s
        self.breaker = Context(name, supervision.breaker_failures, supervision.breaker_probe_s)
        #: failures in a row of attempts of which none became live
        self.failures = 0

    @property
    def is_open(self) -> bool:
        """Whether the breaker lets only probes through."""
        return self.breaker.state != "closed"

    def attempts(self) -> AsyncRetrying:
        """Give attempts until one succeeds or is cancelled; waits between them."""
        return AsyncRetrying(wait=self._wait_s, retry=retry_if_exception_type((OSError, FeedError, OpenedState)))

    def wait_s(self, failures: int) -> float:
        """Draw the wait after so many failures in a row, in seconds."""
        state = RetryCallState(AsyncRetrying(), None, (), {})
        state.attempt_number = max(failures, 1)
        return float(self._wait(state))

    def _wait_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        self.failures = state.attempt_number
        if isinstance(error, ProviderRefused) and error.fatal:
            # Only an operator can mend it; when that is done the next probe finds out.
            return self._probe_s
        if isinstance(error, OpenedState):
            return max(0.0, error.opened_at + self.breaker.ttl - time.time()) + self.wait_s(1)
        return float(self._wait(state))
