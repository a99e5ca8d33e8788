"""Tells every audience what changes: one encoding for all of an audience, and nobody waits for a slow client.

Everything here runs in the event loop without awaiting: changes are encoded and written in one go, or in stretches that know
who moved between them, so a session's position is always exactly what was written to it. A client whose socket is full leaves
its audiences and stays at its position; once it drains it gets one diff and is up to date. Its cost meanwhile is that one
position.
"""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import repeat
from math import inf
from typing import TYPE_CHECKING, Final

from oddsengine.gateway.fanout.audiences import Audiences
from oddsengine.gateway.fanout.batches import Piece, cut
from oddsengine.gateway.fanout.broadcast import Broadcast, Recipients, gather
from oddsengine.gateway.fanout.delta_encoder import DeltaEncoder
from oddsengine.gateway.fanout.scheduler import Scheduler
from oddsengine.gateway.fanout.session import Subscription
from oddsengine.gateway.recovery.catch_up import CatchUp
from oddsengine.gateway.state.price_history import PriceHistory
from oddsengine.offer.merge import merge_batches

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.domain.changes import Batch, Changes
    from oddsengine.gateway.fanout.audience import Audience, DeliveryOptions
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.hub.counters import HubCounters
    from oddsengine.gateway.state.replica import At, Channel, Replica

#: What a client has that is to get a snapshot: no diff can be given since.
NOTHING: Final[At] = {}


class Dispatcher:
    """All audiences of one gateway process; `staleness` says what the followers read.

    Args:
        replica: what is published.
        counters: are kept up to date.
        clock: monotonic seconds.
        now_ms: the wall clock, Unix milliseconds.
        slow_client_timeout_s: how long a socket may take nothing of what is written to it.
        history_ms: how long what was on offer is remembered.
    """

    def __init__(
        self,
        replica: Replica,
        counters: HubCounters,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
        *,
        slow_client_timeout_s: float = 30.0,
        history_ms: int = 0,
    ) -> None:
        self.replica = replica
        self.counters = counters
        self.history = PriceHistory(history_ms)
        self.audiences = Audiences(replica)
        self.pace = Scheduler(clock, self._go_on)
        self._clock = clock
        self._now_ms = now_ms
        self.late = CatchUp(self, clock, now_ms, slow_client_timeout_s)
        #: sessions whose socket was found full in what is being written now
        self._backpressured: list[Session] = []
        #: what of each shard has been told to those without an interval
        self._told = replica.at()
        #: what all who have no interval certainly have: of a flush that is on its way, what was told before it
        self._safe = dict(self._told)
        self._broadcast: Broadcast | None = None
        #: what is still to be encoded of the flush on its way
        self._pieces: deque[Piece] = deque()
        #: when the suspensions of the flush on its way were published, Unix milliseconds; None if it has none
        self._suspending_ms: int | None = None
        #: what was applied to shards and not told yet; while a flush is on its way it waits
        self._waiting: dict[int, list[Batch]] = {}

    # -- who is told ----------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether anybody is still to be told something, or has not taken all that was written to it."""
        return self.is_flushing or bool(self._waiting) or self.late.is_busy

    @property
    def is_flushing(self) -> bool:
        """Whether a flush is on its way."""
        return self._broadcast is not None or bool(self._pieces)

    def join(self, session: Session, channel: Channel, options: DeliveryOptions, resume: At | None) -> None:
        """Subscribe a session to a channel: from a position that `resolve` found good, else with a snapshot."""
        self.leave(session, channel.name)
        subscription = session.subscriptions[channel.name] = Subscription(self.audiences.get(channel, options))
        subscription.at = NOTHING if resume is None else resume
        self.counters.resumed += resume is not None
        if session.backlog() or not self.pace.has_budget():
            # It gets nothing more before it has taken what is on its way to it; and others do not wait for all it asks for.
            self.late.put_off(session)
        else:
            self.late.catch_up(session, subscription)
        self.tell_health(session, subscription)
        if session.backlog():
            self._backpressured.append(session)
        self.settle()

    def leave(self, session: Session, name: str) -> None:
        """Let a session hear a channel no more; one that it does not hear is none."""
        subscription = session.subscriptions.pop(name, None)
        if subscription is not None:
            self.audiences.leave(session, subscription.audience)

    def forget(self, session: Session) -> None:
        """Let a session go."""
        self.late.behind.forget(session)
        for name in list(session.subscriptions):
            self.leave(session, name)

    @property
    def safe(self) -> At:
        """The position that every session without an interval has, unless it is behind."""
        return self._safe

    def position(self, session: Session) -> At:
        """Give the position from which a session can resume all its channels."""
        at = dict(self._safe)
        for subscription in session.subscriptions.values():
            for shard, position in self._position_of(subscription.audience).items():
                at[shard] = min(at[shard], position)
        return at

    def tell_health(self, session: Session, subscription: Subscription) -> None:
        """Tell one session what the others of its audience were told while it was not there to hear."""
        channel = subscription.audience.channel
        since = self.replica.is_stale(channel)
        if (since is not None) == subscription.told_stale:
            return
        subscription.told_stale = since is not None
        news = {"channel": channel.name} if since is None else {"channel": channel.name, "since": since}
        session.tell("live" if since is None else "stale", news, self._clock())

    # -- what the followers read ----------------------------------------------------------------------------------

    def changed(self, shard: int, batches: list[Batch]) -> None:
        """Tell every audience of what has just been applied to a shard."""
        for batch in batches:
            self.history.note(batch)
        waiting = self._waiting.get(shard)
        if waiting is None:
            self._waiting[shard] = batches
        else:
            waiting += batches
        if self._suspending_ms is None and any(batch.urgent for batch in batches):
            # It waits for nothing but another suspension: else the last to be told would never be, while there are many.
            self._flush(shard)
        elif waiting is not None:
            return
        elif self.pace.is_much(sum([len(batch.markets) for batch in batches])):
            asyncio.get_running_loop().call_soon(self.history.settle)
            self.pace.yield_to_loop()
        elif not self.is_flushing:
            self._flush(shard)

    def _flush(self, shard: int) -> None:
        """Tell what changed in a shard since it was last told."""
        batches = self._waiting.pop(shard)
        offer = self.replica.offers[shard]
        told = self._told[shard]
        if not offer.has_diff_since(told.epoch, told.seq):
            self.replaced(shard)
            return
        # The batches say it themselves, unless the snapshot knew some of it before them.
        are_all_news = told.seq + len(batches) == offer.seq and told.seq >= offer.loaded_seq
        changes = merge_batches(batches) if are_all_news else offer.changes_since(told.seq)
        if changes.urgent:
            self._suspending_ms = next((batch.ts_ms for batch in batches if batch.urgent), batches[0].ts_ms)
        # Pieces of this shard that were not told yet are among the changes: what was told ends before them.
        self._drop_pieces(shard)
        self.tell_all(shard, changes, batches[-1].ts_ms)

    def _drop_pieces(self, shard: int) -> None:
        self._pieces = deque([piece for piece in self._pieces if piece.shard != shard])

    def _go_on(self) -> None:
        """Write the next slice of the flush that is on its way; after the last one, what changed meanwhile."""
        broadcast = self._broadcast
        if broadcast is not None:
            if not broadcast.advance(self._clock, self.pace.time_slice_s):
                self.pace.yield_to_loop()
                return
            self._finished(broadcast)
            if self._pieces:
                self.pace.yield_to_loop()
                return
        elif self._pieces:
            self._tell(self._pieces.popleft())
            return
        # Also where somebody had to hurry and the flush is over by now: what waited for it must not wait for another change.
        while self._waiting and not self.is_flushing:
            self._flush(next(iter(self._waiting)))

    def hurry(self) -> None:
        """Write all that is left of the flush that is on its way, before something that may not come in between."""
        while self.is_flushing:
            if self._broadcast is None:
                self._tell(self._pieces.popleft())
            elif self._broadcast.advance(self._clock, inf):
                self._finished(self._broadcast)

    def _interrupt(self) -> dict[Session, bytes]:
        """Stop the flush that is on its way, and give what those whom it has not reached are still to be told of it."""
        broadcast = self._broadcast
        if broadcast is None:
            return {}
        left = broadcast.give_up()
        self._end_broadcast()
        self._fall_behind([*broadcast.missed, *broadcast.backpressured])
        return left

    def _finished(self, broadcast: Broadcast) -> None:
        self._end_broadcast()
        if self._suspending_ms is not None and not any(piece.changes.urgent for piece in self._pieces):
            self.counters.suspension_seconds.observe((self._now_ms() - self._suspending_ms) / 1000)
            self._suspending_ms = None
        # Those it passed over are where they were before it, the others where it took them.
        self._fall_behind(broadcast.missed)
        self._safe = dict(self._told)
        self._backpressured += broadcast.backpressured
        self.settle()
        if not self._pieces:
            self.late.flushed()

    def _end_broadcast(self) -> None:
        self._broadcast = None
        if not self._pieces:
            # Until then who has moved may have seen already what is in them, and more.
            self.audiences.moved = None

    def replaced(self, shard: int) -> None:
        """Send everyone who draws from a shard its channel anew: earlier positions have no diff to this one."""
        self._drop_pieces(shard)
        self.hurry()
        self._suspending_ms = None
        self._waiting.pop(shard, None)
        self._told[shard] = self._safe[shard] = self.replica.position(shard)
        self.history.forget()
        for audience in self.audiences:
            if shard in audience.channel.shards:
                self.tell_anew(audience)
        self.settle()

    # -- telling --------------------------------------------------------------------------------------------------

    def tell_all(self, shard: int, changes: Changes, ts_ms: int) -> None:
        """Begin to write a flush: all of it to audiences without an interval, its suspensions to those with one."""
        whole = Piece(shard, changes, ts_ms, self.replica.position(shard))
        first, *others = cut(whole, self._told[shard])
        self._pieces.extendleft(reversed(others))
        self._tell(first)

    def _tell(self, piece: Piece) -> None:
        """Begin to write a flush, or a piece of one.

        What is on its way already is interrupted: whom it has not reached is told both at once, and in their order.
        """
        shard, changes, ts_ms, at = piece
        before = dict(self._told)
        self._told[shard] = at
        if not changes:
            if self._broadcast is None:
                self._safe[shard] = self._told[shard]
            return
        self.settle()
        left = self._interrupt()
        # What was told, not the replica's positions: it may have more of other shards.
        flush = DeltaEncoder(self.replica.offers[shard], changes, self.audiences, ts_ms, now=dict(self._told), before=before)
        due = self._due(flush)
        if self.audiences.moved is None:
            self.audiences.moved = set()
        moved = self.audiences.moved
        if len(due) == 1 and not left:
            ((audience, framed),) = due
            self._broadcast = Broadcast(audience.recipients, repeat(framed), moved)
        else:
            gathered = gather((audience.members, framed) for audience, framed in due)
            for session, earlier in left.items():
                gathered[session] = [earlier, *gathered.get(session, ())]
            self._broadcast = Broadcast(Recipients.of(gathered), map(b"".join, gathered.values()), moved)
        if self._suspending_ms is None and self.pace.is_much(len(changes.markets)):
            self.pace.yield_to_loop()
        else:
            self._go_on()

    def _due(self, flush: DeltaEncoder) -> list[tuple[Audience, bytes]]:
        """Frame what each audience is told of a flush."""
        due: list[tuple[Audience, bytes]] = []
        counters, now_s = self.counters, self._clock()
        for name in flush.channels():
            for audience in self.audiences.by_channel[name].values():
                members = len(audience.members)
                if audience.options.interval_ms:
                    framed = flush.urgent_of(audience)
                    if framed is None:
                        continue
                else:
                    framed = flush.all_of(audience)
                    counters.deltas += flush.market_count(name) * members
                due.append((audience, framed))
                audience.told_s = now_s
                counters.frames += members
                counters.bytes += len(framed) * members
        return due

    def tell(self, audience: Audience, framed: bytes) -> None:
        """Write a ready frame to every member of an audience at once."""
        audience.told_s = self._clock()
        self.write(list(audience.members), framed)

    def tell_anew(self, audience: Audience) -> None:
        """Send every member of an audience its channel whole, as soon as that is there."""
        audience.at = self.replica.at(audience.channel)
        members = list(audience.members)
        frames = self.late.snapshot_cache.frames(audience, None) if self.pace.has_budget() else None
        if frames is None:
            for session in members:
                session.subscriptions[audience.channel.name].at = NOTHING
                self.audiences.lose(session, audience)
                self.late.put_off(session)
            return
        for framed in frames:
            self.write(members, framed)
        self.counters.snapshots += len(members)

    def write(self, sessions: list[Session], framed: bytes) -> None:
        """Write a ready frame to these sessions; those that do not keep up fall behind."""
        now_s = self._clock()
        self.counters.frames += len(sessions)
        self.counters.bytes += len(framed) * len(sessions)
        for session in sessions:
            session.write(framed)
            session.last_sent_s = now_s
            if session.backlog():
                self._backpressured.append(session)

    # -- the slow ones --------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Take those whose sockets are full out of their audiences; only once all frames of a flush are written.

        Until then a session would lose what its other channels are still to be told of the same flush.
        """
        self._fall_behind(self._backpressured)
        self._backpressured.clear()

    def _fall_behind(self, sessions: list[Session]) -> None:
        for session in sessions:
            if not session.is_open:
                continue
            self.late.behind.add(session)
            for subscription in session.subscriptions.values():
                if subscription.at is None:
                    audience = subscription.audience
                    subscription.at = self._position_of(audience)
                    self.audiences.lose(session, audience)

    def _position_of(self, audience: Audience) -> At:
        """Tell what the members of an audience have: all that was told, unless they are told at intervals."""
        return audience.at if audience.options.interval_ms else {shard: self._safe[shard] for shard in audience.channel.shards}

    def sweep(self) -> None:
        """Bring those that have drained up to date, and tell audiences whose interval is over; call every few ms."""
        self.history.settle()
        self.late.sweep()
