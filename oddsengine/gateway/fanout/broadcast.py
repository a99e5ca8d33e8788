"""Write one batch of a flush to many sockets in time slices, so that other work gets its turn in between.

Between two slices a session may leave, return or subscribe to more channels. What it has then no longer matches what the
batch was encoded for, so the batch is not written to it: the session is listed in `skipped` and has to catch up from its
position before the batch.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from operator import call
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet


#: Reading the clock after this many frames costs nothing compared with sending them.
_FRAMES_PER_CLOCK_READ: Final = 32


class Recipient(Protocol):
    """Something that frames are written to."""

    def write(self, framed: bytes, /) -> None:
        """Write a ready frame."""
        ...

    def backlog(self) -> int:
        """Return the bytes that were written but not yet taken by the kernel."""
        ...


R = TypeVar("R", bound=Recipient)


class Recipients(NamedTuple, Generic[R]):
    """Sessions beside what is called on each of them, so that sending a frame costs little more than its `send`."""

    sessions: Sequence[R]
    writes: Sequence[Callable[[bytes], None]]
    backlogs: Sequence[Callable[[], int]]

    @classmethod
    def of(cls, sessions: Iterable[R]) -> Recipients[R]:
        """List sessions in their present order."""
        listed = list(sessions)
        return cls(listed, [session.write for session in listed], [session.backlog for session in listed])


def coalesce(due: Iterable[tuple[Iterable[R], bytes]]) -> dict[R, list[bytes]]:
    """Collect the frames due to each session, so that it gets them in one write: a send costs more than the bytes in it."""
    coalesced: defaultdict[R, list[bytes]] = defaultdict(list)
    for sessions, framed in due:
        for session in sessions:
            coalesced[session].append(framed)
    return coalesced


class Broadcast(Generic[R]):
    """The part of a batch that is still to be written.

    Args:
        recipients: the sessions to write to.
        payloads: what each of them is sent, ready to write.
        moved: sessions that joined or left an audience since the batch was encoded; grows while the broadcast runs.
    """

    __slots__ = ("_moved", "_next", "_payloads", "_recipients", "backpressured", "skipped")

    def __init__(self, recipients: Recipients[R], payloads: Iterator[bytes], moved: AbstractSet[R]) -> None:
        self._recipients = recipients
        self._payloads = payloads
        self._moved = moved
        self._next = 0
        #: sessions whose sockets did not take everything
        self.backpressured: list[R] = []
        #: sessions that were not written to because they have moved
        self.skipped: list[R] = []

    def __len__(self) -> int:
        """Return the number of recipients."""
        return len(self._recipients.sessions)

    def advance(self, clock: Callable[[], float], budget_s: float) -> bool:
        """Write until the broadcast is complete or the budget is spent. Return whether it is complete."""
        end_s = clock() + budget_s
        count = len(self._recipients.sessions)
        while self._next < count:
            self._write(self._next, self._next + _FRAMES_PER_CLOCK_READ)
            self._next += _FRAMES_PER_CLOCK_READ
            if clock() >= end_s:
                break
        return self._next >= count

    def cancel(self) -> dict[R, bytes]:
        """Stop writing. Return what the sessions not reached yet would have been sent, but for those that have moved."""
        undelivered = dict(zip(self._recipients.sessions[self._next :], self._payloads, strict=False))
        self._next = len(self._recipients.sessions)
        for session in self._moved & undelivered.keys():
            del undelivered[session]
            self.skipped.append(session)
        return undelivered

    def _write(self, start: int, end: int) -> None:
        recipients, moved = self._recipients, self._moved
        if not moved:
            # The loop itself runs in C: in Python it would cost a tenth of what the sends do.
            deque(map(call, recipients.writes[start:end], self._payloads), maxlen=0)
            if any(map(call, recipients.backlogs[start:end])):
                self.backpressured += [session for session in recipients.sessions[start:end] if session.backlog()]
            return
        for session, payload in zip(recipients.sessions[start:end], self._payloads, strict=False):
            if session in moved:
                self.skipped.append(session)
                continue
            session.write(payload)
            if session.backlog():
                self.backpressured.append(session)
