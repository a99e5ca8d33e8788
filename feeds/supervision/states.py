"""The state machine of feeds, as a table; `python -m feeds.supervision.states` prints its diagram.

A source is trusted only while its feed is `live`. Every change away from `live` is published in order with the updates that carry
prices, so no later price can rest on an untrusted source:

- `lagging`  the provider reports, or our measurement shows, that messages are late. The feed can become live again on the same
             connection.
- `stale`    the connection is open but can't be trusted: it is silent or frozen, or its recovery never completed. It is closed.
- `down`     there is no connection. Failures in a row are followed by random waits, and after several of them a circuit breaker
             allows only occasional probes.

The only way back to `live` is a recovery that the codec reports as complete.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from oddsengine.common.reporting.outages import Outage
from oddsengine.common.state_diagram import state_diagram

if TYPE_CHECKING:
    from collections.abc import Callable

_KEPT_CHANGES: Final = 50

_log = structlog.get_logger(__name__)


class FeedState(Enum):
    """The state of a feed."""

    DOWN = "down"
    CONNECTING = "connecting"
    RECOVERING = "recovering"
    LIVE = "live"
    LAGGING = "lagging"
    STALE = "stale"


class Trigger(Enum):
    """An event that changes the state of a feed."""

    CONNECT = "connect"
    OPENED = "opened"
    RECOVERED = "recovered"
    BEHIND = "behind"
    CAUGHT_UP = "caught up"
    WENT_STALE = "went stale"
    LOST = "lost"


_DOWN, _CONNECTING, _RECOVERING = FeedState.DOWN, FeedState.CONNECTING, FeedState.RECOVERING
_LIVE, _LAGGING, _STALE = FeedState.LIVE, FeedState.LAGGING, FeedState.STALE

#: (state, trigger) -> state; any other trigger is ignored
TRANSITIONS: Final[dict[tuple[FeedState, Trigger], FeedState]] = {
    (_DOWN, Trigger.CONNECT): _CONNECTING,
    (_STALE, Trigger.CONNECT): _CONNECTING,
    (_CONNECTING, Trigger.OPENED): _RECOVERING,
    (_CONNECTING, Trigger.LOST): _DOWN,
    (_RECOVERING, Trigger.RECOVERED): _LIVE,
    (_RECOVERING, Trigger.WENT_STALE): _STALE,
    (_RECOVERING, Trigger.LOST): _DOWN,
    (_LIVE, Trigger.BEHIND): _LAGGING,
    (_LIVE, Trigger.WENT_STALE): _STALE,
    (_LIVE, Trigger.LOST): _DOWN,
    (_LAGGING, Trigger.CAUGHT_UP): _LIVE,
    (_LAGGING, Trigger.WENT_STALE): _STALE,
    (_LAGGING, Trigger.LOST): _DOWN,
}


class Change(NamedTuple):
    """A change of state: when (Unix milliseconds), the trigger, the new state and the reason."""

    at_ms: int
    trigger: Trigger
    state: FeedState
    reason: str


class FeedStatus:
    """The state of one feed, since when and why, with its last changes.

    Args:
        feed: the feed's name, for the log.
        now_ms: the wall clock, Unix milliseconds.
        clock: monotonic seconds.
    """

    def __init__(self, feed: str, now_ms: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._feed = feed
        self._now_ms = now_ms
        self.state = FeedState.DOWN
        self.reason = "not connected yet"
        self.since_ms = now_ms()
        #: when the provider last sent anything, Unix milliseconds
        self.received_ms: int | None = None
        self.changes: deque[Change] = deque(maxlen=_KEPT_CHANGES)
        self._outage = Outage("feed unavailable", "feed available again", clock)

    def apply(self, trigger: Trigger, reason: str) -> bool:
        """Apply a trigger. Return whether it changed the state.

        Changes are logged while the feed works; from its first failure until it is live again only the failures are.
        """
        state = TRANSITIONS.get((self.state, trigger))
        if state is None:
            return False
        self.state, self.reason, self.since_ms = state, reason, self._now_ms()
        self.changes.append(Change(self.since_ms, trigger, state, reason))
        is_logged = not self._outage.is_ongoing and state not in {_DOWN, _STALE}
        (_log.info if is_logged else _log.debug)("feed state", feed=self._feed, state=state.value, reason=reason)
        if state is _LIVE:
            self._outage.worked(self._feed)
        return True

    def note_failure(self, cause: str, reason: str, **details: Any) -> None:
        """Log that the feed has failed, if it has not been failing for the same cause.

        Args:
            cause: the kind of failure, one of few values.
            reason: what happened.
            details: what else to log.
        """
        self._outage.failed(self._feed, cause, reason=reason, **details)

    def explain(self, reason: str) -> None:
        """Set why the feed is not live yet. No-op for a live feed."""
        if self.state not in {FeedState.LIVE, FeedState.LAGGING}:
            self.reason = reason


def diagram() -> str:
    """Return the table as a Mermaid state diagram."""
    return state_diagram(TRANSITIONS, _DOWN)


if __name__ == "__main__":
    sys.stdout.write(diagram() + "\n")
