"""One flush on its way to many sockets, slice by slice, so that whoever else wants something comes in between.

Between two slices a session may have left, come back or subscribed to more: then it has seen, or will be told, another
order of things than this flush was made for. Such a session is not written to; it is named in `missed` and has to be
brought up to date from where it was before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from operator import call
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.gateway.fanout.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet


#: Looking at the clock after so many frames costs nothing against sending them.
_FRAMES_A_LOOK: Final = 32


class Recipients(NamedTuple):
    """Sessions with what is called on each, side by side: to send a frame is to cost little more than its send."""

    sessions: Sequence[Session]
    writes: Sequence[Callable[[bytes], None]]
    backlogs: Sequence[Callable[[], int]]

    @classmethod
    def of(cls, sessions: Iterable[Session]) -> Recipients:
        """List sessions as they are now."""
        listed = list(sessions)
        return cls(listed, [session.write for session in listed], [session.backlog for session in listed])


def gather(due: Iterable[tuple[Iterable[Session], bytes]]) -> dict[Session, list[bytes]]:
    """Put together what is due to each session, so that it goes out in one write: a send costs more than the bytes in it."""
    gathered: dict[Session, list[bytes]] = {}
    for sessions, framed in due:
        for session in sessions:
            frames = gathered.get(session)
            if frames is None:
                gathered[session] = [framed]
            else:
                frames.append(framed)
    return gathered


class Broadcast:
    """What is still to be written of a flush.

    Args:
        recipients: who is told.
        payloads: what each is told, ready to write.
        moved: sessions that left or joined an audience since the flush was made, as it stands at each moment.
    """

    __slots__ = ("_moved", "_payloads", "_place", "_recipients", "backpressured", "missed")

    def __init__(self, recipients: Recipients, payloads: Iterator[bytes], moved: AbstractSet[Session]) -> None:
        self._recipients = recipients
        self._payloads = payloads
        self._moved = moved
        self._place = 0
        #: sessions whose sockets did not take all
        self.backpressured: list[Session] = []
        #: sessions that are not where they were when the flush began
        self.missed: list[Session] = []

    def advance(self, clock: Callable[[], float], budget_s: float) -> bool:
        """Write until done or the time is spent; tell whether it is done."""
        end_s = clock() + budget_s
        count = len(self._recipients.sessions)
        while self._place < count:
            self._write(self._place, self._place + _FRAMES_A_LOOK)
            self._place += _FRAMES_A_LOOK
            if clock() >= end_s:
                break
        return self._place >= count

    def give_up(self) -> dict[Session, bytes]:
        """Write no more, and give what each was still to be told; those that have moved are `missed` as ever."""
        left = dict(zip(self._recipients.sessions[self._place :], self._payloads, strict=False))
        self._place = len(self._recipients.sessions)
        for session in self._moved & left.keys():
            del left[session]
            self.missed.append(session)
        return left

    def _write(self, start: int, end: int) -> None:
        recipients, moved = self._recipients, self._moved
        sessions = recipients.sessions[start:end]
        if not moved:
            # The loop itself in C: in Python it would cost a tenth of what the sends do.
            deque(map(call, recipients.writes[start:end], self._payloads), maxlen=0)
            if any(map(call, recipients.backlogs[start:end])):
                self.backpressured += [session for session in sessions if session.backlog()]
            return
        for session, payload in zip(sessions, self._payloads, strict=False):
            if session in moved:
                self.missed.append(session)
                continue
            session.write(payload)
            if session.backlog():
                self.backpressured.append(session)
