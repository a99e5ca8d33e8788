"""One flush on its way to many sockets, slice by slice, so that whoever else wants something comes in between.

Between two slices a session may have left, come back or subscribed to more: then it has seen, or will be told, another
order of things than this flush was made for. Such a session is not written to; it is named in `missed` and has to be
brought up to date from where it was before.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from oddsengine.gateway.session import Session

#: Looking at the clock after so many frames costs nothing against sending them.
_FRAMES_A_LOOK: Final = 100


class Broadcast:
    """What is still to be written of a flush.

    Args:
        sessions: who is told.
        payloads: what each is told, ready to write.
    """

    __slots__ = ("_rest", "missed", "overfull")

    def __init__(self, sessions: Sequence[Session], payloads: Iterable[bytes]) -> None:
        stamps = [session.stamp for session in sessions]
        self._rest = zip(sessions, stamps, payloads, strict=False)
        #: sessions whose sockets did not take all
        self.overfull: list[Session] = []
        #: sessions that are not where they were when the flush began
        self.missed: list[Session] = []

    def advance(self, clock: Callable[[], float], budget_s: float) -> bool:
        """Write until done or the time is spent; tell whether it is done."""
        end_s = clock() + budget_s
        while True:
            count = 0
            for session, stamp, payload in islice(self._rest, _FRAMES_A_LOOK):
                count += 1
                if session.stamp is not stamp:
                    self.missed.append(session)
                    continue
                session.write(payload)
                if session.backlog():
                    self.overfull.append(session)
            if count < _FRAMES_A_LOOK:
                return True
            if clock() >= end_s:
                return False
