"""Write frames to sessions, and detach slow sessions from their audiences.

A session whose socket is full leaves its audiences and keeps its position; it catches up with one diff once its socket has
drained. Until then it costs one position per subscription.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from oddsengine.gateway.fanout.audience import Audience
    from oddsengine.gateway.fanout.audiences import Audiences
    from oddsengine.gateway.fanout.counters import GatewayCounters
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.state.replica import At


class Outbox:
    """Everything that is written to the subscribers of one gateway process, but for broadcasts.

    A call that writes is followed by `detach_slow` once all frames of the same moment are written: a session detached earlier
    would lose what its other channels are still to be sent.

    Args:
        delivered: the current position of every shard.
        audiences: all audiences.
        counters: are kept up to date.
        clock: monotonic seconds.
        on_detach: called with each session that is detached.
    """

    def __init__(
        self,
        delivered: At,
        audiences: Audiences,
        counters: GatewayCounters,
        clock: Callable[[], float],
        on_detach: Callable[[Session], None],
    ) -> None:
        #: position of every session that is not behind, in audiences without an interval
        self.delivered = delivered
        self._audiences = audiences
        self._counters = counters
        self._clock = clock
        self._on_detach = on_detach
        self._backpressured: list[Session] = []

    def write(self, sessions: Sequence[Session], framed: bytes) -> None:
        """Write a ready frame to sessions."""
        now_s = self._clock()
        self._counters.frames += len(sessions)
        self._counters.bytes += len(framed) * len(sessions)
        for session in sessions:
            session.write(framed)
            session.last_sent_s = now_s
            if session.backlog():
                self._backpressured.append(session)

    def send(self, audience: Audience[Session], framed: bytes) -> None:
        """Write a ready frame to every member of an audience."""
        audience.last_sent_s = self._clock()
        self.write(list(audience.members), framed)

    def note_backpressured(self, sessions: Iterable[Session]) -> None:
        """Note sessions whose sockets are full, for `detach_slow`."""
        self._backpressured += sessions

    def detach_slow(self) -> None:
        """Detach the sessions whose sockets were found full since the last call."""
        if self._backpressured:
            self.detach(self._backpressured)
            self._backpressured.clear()

    def detach(self, sessions: Iterable[Session]) -> None:
        """Take sessions out of their audiences. Each keeps its position, from which it has to catch up."""
        for session in sessions:
            if not session.is_open:
                continue
            self._on_detach(session)
            for subscription in session.subscriptions.values():
                if subscription.at is None:
                    audience = subscription.audience
                    subscription.at = self.position_of(audience)
                    self._audiences.detach(session, audience)

    def position_of(self, audience: Audience[Session]) -> At:
        """Return the position of an audience's members: an audience with an interval has its own."""
        delivered = self.delivered
        return audience.at if audience.options.interval_ms else {shard: delivered[shard] for shard in audience.channel.shards}

    def resume_position(self, session: Session) -> At:
        """Return the position from which a session can resume all its channels."""
        at = dict(self.delivered)
        for subscription in session.subscriptions.values():
            for shard, position in self.position_of(subscription.audience).items():
                at[shard] = min(at[shard], position)
        return at
