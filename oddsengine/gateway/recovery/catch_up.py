"""Bring sessions that are not at their audience's position up to date, and send audiences with an interval their deltas.

Both are sent the newest state, as far as the budget of a turn of the event loop allows; then other work gets its turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.gateway.fanout.scheduler import NextTurn
from oddsengine.gateway.protocol.server_messages import Live, Stale

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.gateway.fanout.audience import Audience
    from oddsengine.gateway.fanout.audiences import Audiences
    from oddsengine.gateway.fanout.counters import GatewayCounters
    from oddsengine.gateway.fanout.outbox import Outbox
    from oddsengine.gateway.fanout.scheduler import Scheduler
    from oddsengine.gateway.fanout.session import Session, Subscription
    from oddsengine.gateway.recovery.slow_consumers import SlowConsumers
    from oddsengine.gateway.recovery.snapshot_cache import SnapshotCache
    from oddsengine.gateway.state.replica import At, Replica

#: Position of a client that needs a snapshot.
NO_POSITION: Final[At] = {}


class CatchUp:
    """The sessions of one gateway process that join, fell behind, or are sent deltas at intervals.

    Args:
        replica: what is published.
        audiences: all audiences.
        outbox: writes to sessions.
        slow_consumers: sessions that are behind.
        snapshots: encodes snapshots and diffs.
        scheduler: budgets the time.
        counters: are kept up to date.
        when_idle: calls a function as soon as no flush is in progress.
    """

    def __init__(
        self,
        replica: Replica,
        audiences: Audiences,
        outbox: Outbox,
        slow_consumers: SlowConsumers,
        snapshots: SnapshotCache,
        scheduler: Scheduler,
        counters: GatewayCounters,
        when_idle: Callable[[Callable[[], None]], None],
    ) -> None:
        self._replica = replica
        self._audiences = audiences
        self._outbox = outbox
        self._slow_consumers = slow_consumers
        self._snapshots = snapshots
        self._scheduler = scheduler
        self._counters = counters
        self._when_idle = when_idle
        self._next_turn = NextTurn(self._run)
        snapshots.add_listener(self._run)

    @property
    def is_busy(self) -> bool:
        """Whether any session still has to catch up."""
        return self._next_turn.is_requested or bool(self._slow_consumers) or self._snapshots.is_busy

    def sweep(self) -> None:
        """Catch up sessions that have drained and serve audiences whose interval has passed; call every few ms."""
        self._snapshots.evict_idle()
        self._run()

    def join(self, session: Session, subscription: Subscription) -> None:
        """Catch a new subscription up, at once if its session's socket and the budget allow."""
        if session.backlog() or not self._scheduler.has_budget():
            # Send nothing more before the socket has drained, and do not keep others waiting for all that one requests.
            self.defer(session)
        else:
            self.catch_up(session, subscription)
        self.send_staleness(session, subscription)
        if session.backlog():
            self._outbox.note_backpressured([session])
        self._outbox.detach_slow()

    def defer(self, session: Session) -> None:
        """Catch a session up once it has taken what was written to it and the budget allows."""
        self._slow_consumers.add(session)
        self._next_turn.request()

    def catch_up(self, session: Session, subscription: Subscription) -> None:
        """Bring a subscription from its own position to the present and into its audience, at once or once that is encoded."""
        at = subscription.at
        assert at is not None  # noqa: S101 - only subscriptions that are behind have one
        audiences, replica = self._audiences, self._replica
        audience = subscription.audience = audiences.get(subscription.audience.channel, subscription.audience.options)
        is_covered = replica.covers(audience.channel, at)
        if not is_covered and replica.is_ahead(audience.channel, at):
            self._slow_consumers.add(session)  # another gateway sent it changes that have not arrived here yet
            return
        frames = self._snapshots.frames(audience, at if is_covered else None)
        if frames is None:
            self._slow_consumers.add(session)
            return
        for framed in frames:
            self._outbox.write([session], framed)
        self._counters.catch_ups += is_covered
        self._counters.snapshots += not is_covered
        # An audience with an interval stays at the position of its other members: this one may be sent some changes twice.
        subscription.at = None
        audiences.join(session, audience)
        self.send_staleness(session, subscription)

    def send_staleness(self, session: Session, subscription: Subscription) -> None:
        """Send a session `stale` or `live` if its audience was sent that while the session was not a member.

        A session that asked for a confirmation is sent it once it has caught up.
        """
        if subscription.sent_stale is None and subscription.at is not None:
            return
        channel = subscription.audience.channel
        since = self._replica.channel_stale_since(channel)
        if (since is not None) == subscription.sent_stale:
            return
        subscription.sent_stale = since is not None
        message = Live(channel.name) if since is None else Stale(channel.name, since)
        session.send(message, self._scheduler.clock())

    def announce_staleness(self, shard: int) -> None:
        """Send `stale` or `live` to the audiences of a shard, but not to sessions that were last sent the same."""
        for audience in self._audiences:
            if shard not in audience.channel.shards:
                continue
            name, options = audience.channel.name, audience.options
            since_ms = self._replica.channel_stale_since(audience.channel)
            is_stale = since_ms is not None
            members = [session for session in audience.members if session.subscriptions[name].sent_stale is not is_stale]
            if members:
                message = Live(name) if since_ms is None else Stale(name, since_ms)
                self._outbox.write(members, options.framing.wrap(options.encoding.value(message)))
                for session in members:
                    session.subscriptions[name].sent_stale = is_stale

    def resend_snapshot(self, audience: Audience[Session]) -> None:
        """Send every member of an audience a snapshot, at once or once it is encoded."""
        audience.at = self._replica.at(audience.channel)
        members = list(audience.members)
        frames = self._snapshots.frames(audience, None) if self._scheduler.has_budget() else None
        if frames is None:
            for session in members:
                session.subscriptions[audience.channel.name].at = NO_POSITION
                self._audiences.detach(session, audience)
                self.defer(session)
            return
        for framed in frames:
            self._outbox.write(members, framed)
        self._counters.snapshots += len(members)

    def _run(self) -> None:
        self._catch_up_drained()
        # They are sent the newest state. A member of other audiences would be sent older changes of the flush after that.
        self._when_idle(self._send_paced)

    def _catch_up_drained(self) -> None:
        for session in self._slow_consumers.take_drained():
            if not self._catch_up_session(session):
                self._next_turn.request()
                break
        self._outbox.detach_slow()

    def _catch_up_session(self, session: Session) -> bool:
        """Catch a session up as far as its socket takes it. Return whether the budget allowed that."""
        for subscription in session.subscriptions.values():
            if subscription.at is None:
                continue
            if session.backlog():
                self._slow_consumers.add(session)  # one channel at a time: each that waits costs one position
                break
            if not self._scheduler.has_budget():
                self._slow_consumers.add(session)
                return False
            self.catch_up(session, subscription)
        return True

    def _send_paced(self) -> None:
        """Send audiences whose interval has passed what has changed since."""
        now_ms = self._scheduler.clock() * 1000
        for audience in list(self._audiences.paced):
            if audience.due_ms > now_ms:
                continue
            if not self._scheduler.has_budget():
                self._next_turn.request()
                break
            audience.due_ms = now_ms + audience.options.interval_ms
            self._send_diff(audience)
        self._outbox.detach_slow()

    def _send_diff(self, audience: Audience[Session]) -> None:
        if not self._replica.covers(audience.channel, audience.at):
            self.resend_snapshot(audience)
            return
        frames = self._snapshots.frames(audience, audience.at)
        if frames is None:
            audience.due_ms = 0.0  # it is being encoded
            return
        audience.at = self._replica.at(audience.channel)
        for framed in frames:
            self._outbox.send(audience, framed)
