"""Slow consumers: sessions that are out of their audiences until their sockets have drained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.gateway.protocol.codes import Close

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oddsengine.gateway.fanout.counters import GatewayCounters
    from oddsengine.gateway.fanout.session import Session


class SlowConsumers:
    """Sessions that are behind.

    Args:
        counters: are kept up to date.
        clock: monotonic seconds.
        slow_client_timeout_s: how long a socket may make no progress before it is closed.
    """

    def __init__(self, counters: GatewayCounters, clock: Callable[[], float], slow_client_timeout_s: float) -> None:
        self._counters = counters
        self._clock = clock
        self._timeout_s = slow_client_timeout_s
        #: the smallest backlog of each so far (bytes), and when it got there (monotonic seconds)
        self._progress: dict[Session, tuple[int, float]] = {}

    def use(self, slow_client_timeout_s: float) -> None:
        """Close sockets after another time from now on."""
        self._timeout_s = slow_client_timeout_s

    def __len__(self) -> int:
        return len(self._progress)

    def __iter__(self) -> Iterator[Session]:
        return iter(self._progress)

    def __contains__(self, session: object) -> bool:
        return session in self._progress

    def add(self, session: Session) -> None:
        """Watch a session. No-op if it is watched."""
        if session not in self._progress:
            backlog = session.backlog()
            self._progress[session] = backlog, self._clock()
            self._counters.slow_consumers += bool(backlog)

    def forget(self, session: Session) -> None:
        """Stop watching a session. No-op if it is not watched."""
        self._progress.pop(session, None)

    def take_drained(self) -> Iterator[Session]:
        """Yield sessions whose sockets have drained and stop watching them; disconnect those without progress."""
        for session in list(self._progress):
            backlog = session.backlog()
            if session.transport.is_closing():
                self.forget(session)
            elif backlog:
                self._check_progress(session, backlog)
            else:
                self.forget(session)
                yield session

    def _check_progress(self, session: Session, backlog: int) -> None:
        now_s = self._clock()
        smallest, since_s = self._progress[session]
        if backlog < smallest:
            self._progress[session] = backlog, now_s
        elif now_s - since_s > self._timeout_s:
            self._counters.slow_consumer_disconnects += 1
            self.forget(session)
            session.end(Close.OVERLOADED, "not reading")
