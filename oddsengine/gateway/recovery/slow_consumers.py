"""The slow ones: sessions that are out of their audiences until their sockets have drained, or for good if those never do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.gateway.protocol.codes import Close

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.hub.counters import HubCounters


class SlowConsumers:
    """Sessions that are behind.

    Args:
        counters: are kept up to date.
        clock: monotonic seconds.
        slow_client_timeout_s: how long a socket may take nothing of what is written to it.
    """

    def __init__(self, counters: HubCounters, clock: Callable[[], float], slow_client_timeout_s: float) -> None:
        self._counters = counters
        self._clock = clock
        self._stalled_s = slow_client_timeout_s
        #: how much each had not taken when that was last less than before (bytes), and when that was (monotonic seconds)
        self._sessions: dict[Session, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._sessions)

    def __contains__(self, session: object) -> bool:
        return session in self._sessions

    def add(self, session: Session) -> None:
        """Watch a session from now on, unless it is watched already."""
        if session not in self._sessions:
            backlog = session.backlog()
            self._sessions[session] = backlog, self._clock()
            self._counters.fell_behind += bool(backlog)

    def forget(self, session: Session) -> None:
        """Let a session go, if it is watched."""
        self._sessions.pop(session, None)

    def take_drained(self) -> Iterator[Session]:
        """Give, one by one, who has taken all that was written to it and is watched no more; hang up on who takes nothing."""
        for session in list(self._sessions):
            backlog = session.backlog()
            if session.transport.is_closing():
                self.forget(session)
            elif backlog:
                self._watch_progress(session, backlog)
            else:
                self.forget(session)
                yield session

    def _watch_progress(self, session: Session, backlog: int) -> None:
        now_s = self._clock()
        before, progress_s = self._sessions[session]
        if backlog < before:
            self._sessions[session] = backlog, now_s
        elif now_s - progress_s > self._stalled_s:
            self._counters.stalled += 1
            self.forget(session)
            session.end(Close.OVERLOADED, "not reading")
