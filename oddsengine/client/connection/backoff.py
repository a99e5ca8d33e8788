"""The delay of a client before it reconnects."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from oddsengine.client.recovery import Action, retry_after_s

if TYPE_CHECKING:
    from oddsengine.client.connection.endings import Ending
    from oddsengine.client.recovery import Timing


class Backoff:
    """Draws the waits between connections: longer ones while they fail or do not last.

    Args:
        timing: the limits of the waits.
    """

    def __init__(self, timing: Timing) -> None:
        #: when the gateway has asked to reconnect, milliseconds after the disconnect
        self.asked_ms: int | None = None
        self._timing = timing
        #: connections in a row that failed or did not last: those that were lost, and those that were refused (True)
        self._failures = {False: 0, True: 0}

    def connection_ended(self, lasted_s: float | None) -> None:
        """Note how long a connection lasted; None if the gateway did not welcome it."""
        if lasted_s is None:
            return
        if lasted_s >= self._timing.settled_after_s:
            self._failures = {False: 0, True: 0}
        elif lasted_s >= self._timing.served_after_s:
            self._failures[False] = 0

    def delay_s(self, ending: Ending, action: Action, *, with_other_token: bool) -> float:
        """Return the seconds to wait after a connection.

        Args:
            ending: why it ended.
            action: what the table prescribes for that.
            with_other_token: whether the next one is made with another token, which is not kept waiting the first time.
        """
        asked_ms, self.asked_ms = self.asked_ms, None
        if asked_ms is not None:
            return min(max(asked_ms / 1000, 0.0), self._timing.max_asked_s)
        is_refusal = action in {Action.WAIT, Action.RESTRAIN}
        if with_other_token and not any(self._failures.values()):
            delay_s = 0.0
        else:
            delay_s = self._timing.backoff(self._failures[is_refusal], long=is_refusal)
        self._failures[is_refusal] += 1
        asked_s = retry_after_s(ending.retry_after, time.time)
        # The wait is added, so that all who were refused do not come back in the same moment.
        return delay_s if asked_s is None else min(asked_s, self._timing.max_asked_s) + delay_s
