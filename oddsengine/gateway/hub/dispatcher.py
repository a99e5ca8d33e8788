"""Fan out the changes of all shards. Each is encoded once per audience; slow consumers never block the others.

Nothing here awaits. Changes are encoded and written in one go or in time slices; sessions that join or leave an audience
between two slices are noted, so that a session's position is always exactly what was written to it. `states` has the rules.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING

from oddsengine.gateway.fanout.audiences import Audiences
from oddsengine.gateway.fanout.batches import DeltaBatch, split
from oddsengine.gateway.fanout.delta_encoder import DeltaEncoder
from oddsengine.gateway.fanout.outbox import Outbox
from oddsengine.gateway.fanout.scheduler import Scheduler
from oddsengine.gateway.fanout.session import Subscription
from oddsengine.gateway.hub.flush import Flush
from oddsengine.gateway.hub.pending import batch_of, has_urgent
from oddsengine.gateway.hub.states import AT_REST, INTERRUPTIBLE, WRITING, DispatchMachine, DispatchState, Trigger
from oddsengine.gateway.recovery.catch_up import NO_POSITION, CatchUp
from oddsengine.gateway.recovery.slow_consumers import SlowConsumers
from oddsengine.gateway.recovery.snapshot_cache import SnapshotCache
from oddsengine.gateway.state.flush_changes import from_changes
from oddsengine.gateway.state.price_history import PriceHistory

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from oddsengine.domain.changes import Changes
    from oddsengine.gateway.fanout.audience import Audience
    from oddsengine.gateway.fanout.counters import GatewayCounters
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.hub.settings import HubSettings
    from oddsengine.gateway.protocol.chunking import Content
    from oddsengine.gateway.protocol.delivery import DeliveryOptions
    from oddsengine.gateway.state.replica import At, Channel, Replica
    from oddsengine.offer.entries.entry import Entry
    from oddsengine.streams.positions import Position


class Dispatcher:
    """All audiences of one gateway process, and the flush in progress.

    Args:
        replica: what is published.
        counters: are kept up to date.
        clock: monotonic seconds.
        now_ms: the wall clock, Unix milliseconds.
        settings: of the hub.
    """

    def __init__(
        self,
        replica: Replica,
        counters: GatewayCounters,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
        settings: HubSettings,
    ) -> None:
        self.replica = replica
        self.history = PriceHistory(settings.history_ms)
        self._counters = counters
        self._clock = clock
        self._now_ms = now_ms
        self._thresholds = settings.thresholds
        #: called with what was written to all subscribers: shard, position, when that was published, to how many; None: nothing
        self.trace: Callable[[int, Position, int, int], None] | None = None
        self._machine = DispatchMachine()
        self._flush = Flush()
        #: changes applied to shards and not dispatched yet; never of a shard while `idle`
        self._pending: dict[int, list[Entry]] = {}
        #: position of each shard up to which changes were encoded for audiences without an interval
        self._dispatched = replica.at()
        self._audiences = Audiences(replica, self._note_move)
        self._slow_consumers = SlowConsumers(counters, clock, settings.slow_client_timeout_s)
        self._outbox = Outbox(replica.at(), self._audiences, counters, clock, self._slow_consumers.add)
        self._scheduler = Scheduler(clock, self._resume)
        self._snapshots = SnapshotCache(replica, now_ms, self._scheduler, settings.thresholds)
        self._catch_up = CatchUp(
            replica,
            self._audiences,
            self._outbox,
            self._slow_consumers,
            self._snapshots,
            self._scheduler,
            counters,
            self._when_complete,
        )

    def use(self, settings: HubSettings) -> None:
        """Dispatch by other settings from now on."""
        self.history.use(settings.history_ms)
        self._slow_consumers.use(settings.slow_client_timeout_s)

    # -- sessions -------------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether any session is still to be sent something, or has not taken what was written to it."""
        return self._machine.state is not DispatchState.IDLE or self._catch_up.is_busy

    @property
    def subscribed_channels(self) -> Collection[str]:
        """The channels that any session is subscribed to."""
        return self._audiences.by_channel.keys()

    @property
    def slow_consumers(self) -> int:
        """The number of sessions that are behind their audiences."""
        return len(self._slow_consumers)

    def join(
        self, session: Session, channel: Channel, options: DeliveryOptions, resume: At | None, *, confirm: bool = False
    ) -> None:
        """Subscribe a session to a channel, from a position accepted by `resolve` or else with a snapshot.

        Args:
            session: the session.
            channel: the channel.
            options: how its changes are delivered.
            resume: the position; None for a snapshot.
            confirm: whether to send `live`, or `stale`, once the session has caught up.
        """
        self.leave(session, channel.name)
        subscription = session.subscriptions[channel.name] = Subscription(self._audiences.get(channel, options))
        subscription.sent_stale = None if confirm else False
        subscription.at = NO_POSITION if resume is None else resume
        self._counters.resumed += resume is not None
        self._catch_up.join(session, subscription)

    def leave(self, session: Session, name: str) -> None:
        """Unsubscribe a session from a channel. No-op if it is not subscribed."""
        subscription = session.subscriptions.pop(name, None)
        if subscription is not None:
            self._audiences.leave(session, subscription.audience)

    def forget(self, session: Session) -> None:
        """Unsubscribe a session from everything."""
        self._slow_consumers.forget(session)
        for name in list(session.subscriptions):
            self.leave(session, name)

    def is_slow(self, session: Session) -> bool:
        """Check whether a session is behind its audiences."""
        return session in self._slow_consumers

    @property
    def delivered(self) -> At:
        """The position of every session that is not behind and has no channel with an interval."""
        return self._outbox.delivered

    def resume_position(self, session: Session) -> At:
        """Return the position from which a session can resume all its channels."""
        return self._outbox.resume_position(session)

    def write(self, session: Session, framed: bytes) -> None:
        """Write a ready frame to a session; call `detach_slow` once all are written."""
        self._outbox.write([session], framed)

    def detach_slow(self, *written: Session) -> None:
        """Detach the sessions whose sockets were found full from their audiences; others were written to as well."""
        self._outbox.note_backpressured([session for session in written if session.backlog()])
        self._outbox.detach_slow()

    async def snapshot(self, channel: Channel, options: DeliveryOptions) -> tuple[Content, At]:
        """Encode a whole channel. Return it with its positions. May be cancelled."""
        return await self._snapshots.snapshot(channel, options)

    def note_http_request(self) -> None:
        """Note an HTTP request: while requests keep coming, flushes yield to them more often."""
        self._scheduler.note_http_request()

    def sweep(self) -> None:
        """Catch up sessions that have drained and serve audiences whose interval has passed; call every few ms."""
        self.history.process()
        self._catch_up.sweep()

    # -- changes --------------------------------------------------------------------------------------------------

    def changed(self, shard: int, entries: list[Entry]) -> None:
        """Dispatch what was just applied to a shard, now or with the next flush."""
        received_ms = self._now_ms()
        for entry in entries:
            self.history.record(entry, received_ms)
        pending = self._pending.get(shard)
        if pending is None:
            self._pending[shard] = entries
        else:
            pending += entries
        state = self._machine.state
        if state in INTERRUPTIBLE and any(entry.urgent for entry in entries):
            self._flush_shard(shard)
        elif pending is not None:
            return
        elif sum([len(entry.markets) for entry in entries]) > self._thresholds.large_flush:
            asyncio.get_running_loop().call_soon(self.history.process)
            if state is DispatchState.IDLE:
                self._machine.move(Trigger.DEFER)
            self._scheduler.yield_to_loop()
        elif state in AT_REST:
            if not self._scheduler.pauses():
                self._flush_shard(shard)
            elif state is DispatchState.IDLE:
                self._machine.move(Trigger.DEFER)

    def replaced(self, shard: int) -> None:
        """Send a snapshot to every audience of a shard: earlier positions have no diff to the current one."""
        self._pending.pop(shard, None)
        self._flush.drop(shard)
        self.flush_now()
        self._supersede()
        self._dispatched[shard] = self._outbox.delivered[shard] = self.replica.position(shard)
        self.history.clear()
        for audience in self._audiences:
            if shard in audience.channel.shards:
                self._catch_up.resend_snapshot(audience)
        self._outbox.detach_slow()

    def announce_staleness(self, shard: int) -> None:
        """Send `stale` or `live` to the audiences of a shard, after everything that is dispatched.

        A channel of several shards is live again once all of them are. Sessions that were last sent the same are sent nothing.
        """
        self.flush_now()
        self._catch_up.announce_staleness(shard)
        self._outbox.detach_slow()

    def flush_now(self) -> None:
        """Write what is left of the flush in progress without yielding."""
        while self._machine.state not in AT_REST:
            if self._machine.state in WRITING:
                self._flush.broadcast.advance(self._clock, inf)
                self._complete_batch()
            else:
                self._next_batch()

    def publish_delta(self, shard: int, changes: Changes, ts_ms: int) -> None:
        """Start to write changes: all of them to audiences without an interval, suspensions to the others as well.

        Args:
            shard: where they are from.
            changes: what changed since the dispatched position.
            ts_ms: when they were published, Unix milliseconds.
        """
        offer = self.replica.offers[shard]
        if self._has_diff(shard):
            # What has left the offer in entries that were not dispatched would stay open for whoever has it.
            changes.removals += offer.removals_since(self._dispatched[shard].seq)
        self._start(DeltaBatch(shard, from_changes(changes, offer), ts_ms, self.replica.position(shard)))

    def _start(self, whole: DeltaBatch) -> None:
        """Start to write changes."""
        batches = self._batches(whole)
        if not batches:
            self._supersede()
            return
        flush = self._flush
        if self._machine.state in AT_REST:
            self._begin()
        else:
            self._machine.move(Trigger.OVERTAKE)
        if self._machine.state is DispatchState.INTERRUPTED:
            self._outbox.detach(flush.interrupt())
            flush.forget_moves()
        flush.put_first(batches)
        self._encode_batch()

    def _begin(self) -> None:
        self._machine.move(Trigger.FLUSH)
        self._scheduler.pacer.begin(self._clock())

    def _batches(self, whole: DeltaBatch) -> list[DeltaBatch]:
        """Split changes into batches; none if there are no changes, so that all sessions have them."""
        if whole.changes:
            return split(whole, self._dispatched[whole.shard], self._thresholds.suspensions_per_batch)
        self._dispatched[whole.shard] = whole.at
        if self._machine.state in AT_REST:
            self._outbox.delivered[whole.shard] = whole.at
        return []

    def _flush_pending(self) -> None:
        """Dispatch what waits of all shards in one flush: a session is sent all of it but the suspensions in one write."""
        for shard in [shard for shard in self._pending if not self._has_diff(shard)]:
            self.replaced(shard)
        batches = [batch for shard in list(self._pending) for batch in self._batches(self._take_pending(shard))]
        if not batches:
            self._supersede()
            return
        self._begin()
        self._flush.put_first(sorted(batches, key=lambda batch: batch.suspended_ms is None))
        self._encode_batch()

    def _flush_shard(self, shard: int) -> None:
        """Dispatch what changed in a shard since its dispatched position."""
        if self._has_diff(shard):
            self._start(self._take_pending(shard))
        else:
            self.replaced(shard)

    def _has_diff(self, shard: int) -> bool:
        dispatched = self._dispatched[shard]
        return self.replica.offers[shard].has_diff_since(dispatched.epoch, dispatched.seq)

    def _take_pending(self, shard: int) -> DeltaBatch:
        """Return what changed in a shard since its dispatched position, which does not wait any more."""
        # Batches of this shard that were not encoded yet are part of the changes: the dispatched position is before them.
        self._flush.drop(shard)
        entries, offer = self._pending.pop(shard), self.replica.offers[shard]
        return batch_of(shard, entries, offer, self._dispatched[shard], self.replica.position(shard))

    def _next_batch(self) -> None:
        if self._flush.batches:
            self._machine.move(Trigger.NEXT_BATCH)
            self._encode_batch()
        else:  # snapshots have superseded the rest
            self._machine.move(Trigger.COMPLETED)
            self._complete()

    def _encode_batch(self) -> None:
        """Encode the next batch for every audience, with those that share its writes, and start to write them."""
        flush = self._flush
        batches = flush.take()
        due: list[tuple[Audience[Session], bytes]] = []
        for batch in batches:
            before = dict(self._dispatched)
            self._dispatched[batch.shard] = batch.at
            # Not the replica's positions: it may be ahead in other shards.
            now = dict(self._dispatched)
            offer = self.replica.offers[batch.shard]
            encoder = DeltaEncoder(offer, batch, self._audiences, now, before, self._thresholds.chunks)
            due += encoder.frames(self._counters, self._clock())
        flush.start(batches, due)
        has_suspensions = batches[0].suspended_ms is not None
        self._machine.move(Trigger.SUSPENSIONS_ENCODED if has_suspensions else Trigger.ENCODED)
        if not has_suspensions and sum(len(batch.changes.markets) for batch in batches) > self._thresholds.large_flush:
            self._scheduler.yield_to_loop()
        else:
            self._resume()

    def _resume(self) -> None:
        """Take the next step of the flush in progress; when that is complete, start the next one."""
        state = self._machine.state
        if state in WRITING:
            if self._flush.broadcast.advance(self._clock, self._scheduler.time_slice_s):
                self._complete_batch()
            if self._machine.state not in AT_REST:
                self._scheduler.yield_to_loop()
                return
        elif state not in AT_REST:
            self._next_batch()
        while self._machine.state is DispatchState.DEFERRED and (has_urgent(self._pending) or not self._scheduler.pauses()):
            self._flush_pending()

    def _complete_batch(self) -> None:
        """Move the delivered positions, and detach the sessions that do not keep up."""
        flush, outbox = self._flush, self._outbox
        remainder = flush.remainder()
        for batch in flush.batches_written:
            if not batch.since_ms:
                continue
            self._counters.publish_to_socket_seconds.observe(max(0, self._now_ms() - batch.since_ms) / 1000)
            if self.trace is not None:
                self.trace(batch.shard, batch.at, batch.since_ms, len(flush.broadcast))
        if flush.suspended_ms is not None and remainder is not Trigger.SUSPENSIONS_REMAIN:
            self._counters.suspension_seconds.observe((self._now_ms() - flush.suspended_ms) / 1000)
        # Skipped sessions keep their position before the batch, all others have the one after it.
        outbox.detach(flush.broadcast.skipped)
        outbox.delivered = dict(self._dispatched)
        outbox.detach(flush.broadcast.backpressured)
        self._machine.move(remainder)
        if remainder is Trigger.COMPLETED:
            self._complete()

    def _complete(self) -> None:
        """Forget the flush, and call what waited for its completion."""
        self._scheduler.pacer.finish(self._clock())
        callbacks = self._flush.reset()
        if self._pending:
            self._machine.move(Trigger.DEFER)
        for callback in callbacks:
            callback()

    def _supersede(self) -> None:
        """Return to idle if no change is left to wait for."""
        if self._machine.state is DispatchState.DEFERRED and not self._pending:
            self._machine.move(Trigger.SUPERSEDE)

    def _when_complete(self, callback: Callable[[], None]) -> None:
        """Call a function once the flush in progress is complete; at once if there is none."""
        if self._machine.state in AT_REST:
            callback()
        else:
            self._flush.callbacks[callback] = None

    def _note_move(self, session: Session) -> None:
        if self._machine.state not in AT_REST:
            self._flush.moved.add(session)
