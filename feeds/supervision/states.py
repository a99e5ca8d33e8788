"""The state machine that every feed goes through, as a table; `python -m feeds.supervision.states` draws it.

A source is trusted while its feed is `live`, and in no other state. Every way out of `live` is said to the engine in the same
stream of updates in which prices come, so order alone keeps a wrong price from staying open:

- `lagging`  the provider, or our measure of it, says that what comes is late; it may be live again without a new connection.
- `stale`    the connection is open and means nothing: silent, frozen, or a recovery that never ended. It is given up.
- `down`     there is no connection. Failures in a row are waited out with full jitter, and after some of them a breaker lets
             only a probe through now and then.

Back to `live` there is one way: a recovery that the codec says is complete.
"""

from __future__ import annotations

import sys
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

_KEPT_CHANGES: Final = 50

_log = structlog.get_logger(__name__)


class FeedState(Enum):
    """Where a feed stands."""

    DOWN = "down"
    CONNECTING = "connecting"
    RECOVERING = "recovering"
    LIVE = "live"
    LAGGING = "lagging"
    STALE = "stale"


class Trigger(Enum):
    """What moves a feed from state to state."""

    CONNECT = "connect"
    OPENED = "opened"
    RECOVERED = "recovered"
    BEHIND = "behind"
    CAUGHT_UP = "caught up"
    WENT_STALE = "went stale"
    LOST = "lost"


_DOWN, _CONNECTING, _RECOVERING = FeedState.DOWN, FeedState.CONNECTING, FeedState.RECOVERING
_LIVE, _LAGGING, _STALE = FeedState.LIVE, FeedState.LAGGING, FeedState.STALE

#: (state, what happens) -> state; anything else changes nothing
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
    """A change of state: when (Unix milliseconds), what happened, where it led and why."""

    at_ms: int
    trigger: Trigger
    state: FeedState
    reason: str


class FeedStatus:
    """Where one feed stands, since when and why, with the last changes.

    Args:
        feed: its name, for the log.
        now_ms: the wall clock, Unix milliseconds.
    """

    def __init__(self, feed: str, now_ms: Callable[[], int]) -> None:
        self._feed = feed
        self._now_ms = now_ms
        self.state = FeedState.DOWN
        self.reason = "not connected yet"
        self.since_ms = now_ms()
        self.changes: deque[Change] = deque(maxlen=_KEPT_CHANGES)

    def move(self, trigger: Trigger, reason: str) -> bool:
        """Let something happen; tell whether that changed the state."""
        state = TRANSITIONS.get((self.state, trigger))
        if state is None:
            return False
        self.state, self.reason, self.since_ms = state, reason, self._now_ms()
        self.changes.append(Change(self.since_ms, trigger, state, reason))
        _log.info("feed state", feed=self._feed, state=state.value, reason=reason)
        return True


def diagram() -> str:
    """Draw the table as a Mermaid state diagram."""
    arrows = [f"    {state.value} --> {to.value}: {what.value}" for (state, what), to in TRANSITIONS.items()]
    return "\n".join(["stateDiagram-v2", "    [*] --> down", *arrows])


if __name__ == "__main__":
    sys.stdout.write(diagram() + "\n")
