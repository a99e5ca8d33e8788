"""Time slices: how long work may run before it yields, and when it resumes, so that other work gets its turn in between.

And the pauses between flushes under load.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: How long to work before yielding, and for how many turns of the event loop. An HTTP request is read in one turn, wakes its
#: connection in the next, gets a task in the third and is answered by the fourth.
_TIME_SLICE_S: Final = 0.001
_TURNS: Final = 1
_TIME_SLICE_WITH_HTTP_S: Final = 0.00025
_TURNS_WITH_HTTP: Final = 4
#: How long after an HTTP request another one is expected.
_HTTP_EXPECTED_S: Final = 1.0
#: The share of the time that deferrable work gets, and the most of it in one turn.
_DEFERRABLE_SHARE: Final = 0.5
_MAX_DEFERRABLE_S: Final = 0.01
#: A flush that took longer is followed by a pause, the longer the more. With a thousand sessions, that is where writes dominate.
_SHORT_FLUSH_S: Final = 0.012
_PAUSE_RATIO: Final = 2.0
#: How long a change may take to the last session for the sake of fewer writes: the pause, and a flush before and after it.
_MAX_DELAY_S: Final = 0.08


class FlushPacer:
    """Spaces flushes of prices under load, so that fewer writes carry the same changes.

    A flush takes mostly a write to each session, however little is in it. Without pauses, long flushes follow each other until
    nothing else gets its turn, here and at whoever receives them. There is no pause after a short flush, nor after one so long
    that changes would be too late, nor before suspensions.
    """

    def __init__(self) -> None:
        self._began_s = 0.0
        self._paused_until_s = 0.0

    def begin(self, now_s: float) -> None:
        """Note that a flush begins."""
        self._began_s = now_s

    def finish(self, now_s: float) -> None:
        """Note that the flush is written."""
        took_s = now_s - self._began_s
        pause_s = min(_PAUSE_RATIO * (took_s - _SHORT_FLUSH_S), _MAX_DELAY_S - 2 * took_s)
        # A suspension may have been sent meanwhile.
        self._paused_until_s = max(self._paused_until_s, now_s + pause_s)

    def pause_left_s(self, now_s: float) -> float:
        """Return how much of a pause is left, seconds; 0.0 if prices may be flushed."""
        return max(0.0, self._paused_until_s - now_s)

    def end_pause(self) -> None:
        """Allow prices to be flushed from now on."""
        self._paused_until_s = 0.0


class NextTurn:
    """Run a callback once in the next turn of the event loop, however often that is requested before.

    Args:
        callback: the work.
    """

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self.is_requested = False

    def request(self) -> None:
        """Run the callback in the next turn."""
        if not self.is_requested:
            self.is_requested = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self.is_requested = False
        self._callback()


class Scheduler:
    """The time budget of one gateway process, and the turns in which its flush resumes.

    Args:
        clock: monotonic seconds.
        resume: called once the turns yielded to the event loop have passed.
    """

    def __init__(self, clock: Callable[[], float], resume: Callable[[], None]) -> None:
        self.clock = clock
        self._resume = resume
        self._is_yielding = False
        self._timer: asyncio.TimerHandle | None = None
        self.pacer = FlushPacer()
        self._http_request_s = -inf
        #: when the last budget of deferrable work began
        self._budget_begun_s = -inf
        #: when the budget of this turn ends; None before any of it was asked for
        self._budget_ends_s: float | None = None

    def note_http_request(self) -> None:
        """Note an HTTP request: while requests keep coming, slices are shorter and yield for more turns."""
        self._http_request_s = self.clock()

    @property
    def time_slice_s(self) -> float:
        """The time to work before yielding, in seconds."""
        return _TIME_SLICE_WITH_HTTP_S if self._expects_http else _TIME_SLICE_S

    def has_budget(self) -> bool:
        """Check whether this turn of the event loop has time left for deferrable work. The first call of a turn always has."""
        now_s = self.clock()
        if self._budget_ends_s is None:
            # Where turns are long because there is much to do, deferrable work keeps its share.
            share_s = min(_DEFERRABLE_SHARE * (now_s - self._budget_begun_s), _MAX_DEFERRABLE_S)
            self._budget_begun_s = now_s
            self._budget_ends_s = now_s + max(share_s, self.time_slice_s)
            asyncio.get_running_loop().call_soon(self._end_turn)
        return now_s <= self._budget_ends_s

    def _end_turn(self) -> None:
        self._budget_ends_s = None

    def yield_to_loop(self) -> None:
        """Resume after one or more turns of the event loop. No-op if that is scheduled already."""
        if not self._is_yielding:
            self._is_yielding = True
            self._pass_turn(_TURNS_WITH_HTTP if self._expects_http else _TURNS)

    def pauses(self) -> bool:
        """Check whether prices wait for the end of a pause. If so, resume at its end."""
        left_s = self.pacer.pause_left_s(self.clock())
        if left_s and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(left_s, self._end_pause)
        return left_s > 0

    def _end_pause(self) -> None:
        self._timer = None
        self.pacer.end_pause()
        self._resume()

    @property
    def _expects_http(self) -> bool:
        return self.clock() - self._http_request_s < _HTTP_EXPECTED_S

    def _pass_turn(self, turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._pass_turn, turns - 1)
        else:
            self._is_yielding = False
            self._resume()
