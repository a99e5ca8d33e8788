"""How long a flush may write at a stretch, and when it goes on: between two stretches whoever else wants something comes in."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: How long it writes before others come in between, and for how many turns of the event loop; a request over HTTP is read in
#: one, wakes its connection in the next, gets a task in the third and is answered by the fourth.
_STRETCH_S: Final = 0.001
_TURNS: Final = 1
_STRETCH_WHILE_ASKED_S: Final = 0.00025
_TURNS_WHILE_ASKED: Final = 4
#: The share of the time that there is for what can wait, and the most of it in one turn.
_LATE_SHARE: Final = 0.5
_LATE_MOST_S: Final = 0.01
#: Who has asked something over HTTP will ask again.
_ASKED_S: Final = 1.0
#: More changes than this are a piece of work by themselves to apply, to encode and to write.
_MUCH: Final = 50


class Scheduler:
    """Lets others in between the pieces of a long work.

    Args:
        clock: monotonic seconds.
        go_on: does the next piece.
    """

    def __init__(self, clock: Callable[[], float], go_on: Callable[[], None]) -> None:
        self._clock = clock
        self._go_on = go_on
        self._gives_way = False
        self._asked_s = -inf
        #: when the time for what can wait last began
        self._late_begun_s = -inf
        #: when it is over in this turn of the event loop; None if there was nothing of it yet
        self._late_ends_s: float | None = None

    def asked(self) -> None:
        """Note a request over HTTP: while there are some, others are let in more often."""
        self._asked_s = self._clock()

    @property
    def time_slice_s(self) -> float:
        """How long to write before giving way, in seconds."""
        return _STRETCH_WHILE_ASKED_S if self._is_asked else _STRETCH_S

    def has_budget(self) -> bool:
        """Tell whether something that can wait may still be done in this turn of the event loop; the first may always."""
        now_s = self._clock()
        if self._late_ends_s is None:
            # Where turns are long because there is much to do, its share is not to become less.
            share_s = min(_LATE_SHARE * (now_s - self._late_begun_s), _LATE_MOST_S)
            self._late_begun_s = now_s
            self._late_ends_s = now_s + max(share_s, self.time_slice_s)
            asyncio.get_running_loop().call_soon(self._turned)
        return now_s <= self._late_ends_s

    def _turned(self) -> None:
        self._late_ends_s = None

    @staticmethod
    def is_much(changes: int) -> bool:
        """Tell whether to give way before so many changes are encoded, and again before they are written."""
        return changes > _MUCH

    def yield_to_loop(self) -> None:
        """Go on after a turn of the event loop or some, unless that is to come anyway."""
        if not self._gives_way:
            self._gives_way = True
            self._pass_turn(_TURNS_WHILE_ASKED if self._is_asked else _TURNS)

    @property
    def _is_asked(self) -> bool:
        return self._clock() - self._asked_s < _ASKED_S

    def _pass_turn(self, turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._pass_turn, turns - 1)
        else:
            self._gives_way = False
            self._go_on()
