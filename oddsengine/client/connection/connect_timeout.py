"""The limit on a client's wait for a connection that it opens, and then for the first message."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from oddsengine.client.recovery import Timing

#: A connection may take so many times as long as the quickest of the last ones.
_MARGIN: Final = 4.0
_REMEMBERED: Final = 3
#: How much longer the next one may take after one that took too long.
_GROWTH: Final = 1.5


class ConnectTimeout:
    """Limits how long a connection may take.

    The limit is short after a connection that fell silent, where connections are quick: what its network swallows is soon tried
    again. One that was closed was closed by somebody, who may have many to welcome again. The limit grows with each attempt that
    takes too long, so that one comes about on a slow network, and at a busy gateway.

    Args:
        timing: the least and the greatest of these limits.
    """

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._took_s: deque[float] = deque(maxlen=_REMEMBERED)
        #: connections in a row that took too long
        self._too_long = 0
        self._fell_silent = False
        self._began_s = 0.0

    @property
    def limit_s(self) -> float:
        """The longest time that the next connection may take, seconds."""
        timing = self._timing
        min_s = timing.min_welcome_s if self._fell_silent and self._took_s else timing.first_welcome_s
        start_s = max(min_s, _MARGIN * min(self._took_s, default=0.0))
        return min(timing.welcome_s, start_s * _GROWTH ** min(self._too_long, 30))

    def note_silence(self) -> None:
        """Note that the last connection was lost without a word."""
        self._fell_silent = True

    def begin(self, now_s: float) -> float:
        """Note that a connection is being made. Return how long it may take, and then its first message."""
        self._began_s = now_s
        return self.limit_s

    def note_welcome(self, now_s: float) -> None:
        """Note that the gateway has welcomed us."""
        self._took_s.append(now_s - self._began_s)
        self._too_long = 0
        self._fell_silent = False

    def timed_out(self) -> bool:
        """Note that a connection took too long. Return whether no other one may take longer."""
        is_longest = self.limit_s >= self._timing.welcome_s
        self._too_long += 1
        return is_longest
