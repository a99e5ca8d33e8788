"""Brings up to date who is not where all others are: who joins, who did not read for a while, who is told at intervals.

They are told what is newest, as far as there is time for them in a turn of the event loop; then others come in between.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from oddsengine.gateway.recovery.slow_consumers import SlowConsumers
from oddsengine.gateway.recovery.snapshot_cache import SnapshotCache

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.gateway.fanout.audience import Audience
    from oddsengine.gateway.fanout.session import Session, Subscription
    from oddsengine.gateway.hub.dispatcher import Dispatcher


class CatchUp:
    """Those of one gateway process.

    Args:
        dispatcher: tells all others.
        clock: monotonic seconds.
        now_ms: the wall clock, Unix milliseconds.
        slow_client_timeout_s: how long a socket may take nothing of what is written to it.
    """

    def __init__(
        self, dispatcher: Dispatcher, clock: Callable[[], float], now_ms: Callable[[], int], slow_client_timeout_s: float
    ) -> None:
        self._dispatcher = dispatcher
        self._replica = dispatcher.replica
        self._clock = clock
        self._pace = dispatcher.pace
        self.snapshot_cache = SnapshotCache(dispatcher.replica, now_ms, clock, dispatcher.pace, self._go_on)
        #: sessions of which a subscription has a position of its own
        self.behind = SlowConsumers(dispatcher.counters, clock, slow_client_timeout_s)
        #: whether what there was no time for is about to go on
        self._is_to_go_on = False
        #: whether audiences with an interval are to be told as soon as no flush is on its way
        self._are_paced_waiting = False

    @property
    def is_busy(self) -> bool:
        """Whether anybody is still to be told something."""
        return self._is_to_go_on or bool(self.behind) or self.snapshot_cache.is_busy

    def sweep(self) -> None:
        """Bring those that have drained up to date, and tell audiences whose interval is over; call every few ms."""
        self.snapshot_cache.tidy()
        self._go_on()

    def put_off(self, session: Session) -> None:
        """Bring a session up to date as soon as it has taken what was written to it and there is time."""
        self.behind.add(session)
        self._go_on_soon()

    def catch_up(self, session: Session, subscription: Subscription) -> None:
        """Bring one subscription from its own position to the present, and into its audience; now, or once that can be told."""
        at = subscription.at
        assert at is not None  # noqa: S101 - only those behind have one
        audiences, replica = self._dispatcher.audiences, self._replica
        audience = subscription.audience = audiences.get(subscription.audience.channel, subscription.audience.options)
        is_covered = replica.covers(audience.channel, at)
        if not is_covered and replica.is_ahead(audience.channel, at):
            self.behind.add(session)  # what it has seen elsewhere has not come here yet
            return
        frames = self.snapshot_cache.frames(audience, at if is_covered else None)
        if frames is None:
            self.behind.add(session)
            return
        for framed in frames:
            self._dispatcher.write([session], framed)
        self._dispatcher.counters.catch_ups += is_covered
        self._dispatcher.counters.snapshots += not is_covered
        # An audience with an interval stays where its other members are: it may tell this one again what it knows.
        subscription.at = None
        audiences.join(session, audience)
        self._dispatcher.tell_health(session, subscription)

    def flushed(self) -> None:
        """Tell those who had to wait for the flush that was on its way."""
        if self._are_paced_waiting:
            self._tell_paced()

    def _go_on_soon(self) -> None:
        if not self._is_to_go_on:
            self._is_to_go_on = True
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._is_to_go_on = False
        self._go_on()

    def _go_on(self) -> None:
        self._catch_up_drained()
        # They are told what is newest. Who is in other audiences too would hear what is on its way to those after that.
        self._are_paced_waiting = self._dispatcher.is_flushing
        if not self._are_paced_waiting:
            self._tell_paced()

    def _catch_up_drained(self) -> None:
        for session in self.behind.take_drained():
            if not self._caught_up(session):
                self._go_on_soon()
                break
        self._dispatcher.settle()

    def _caught_up(self, session: Session) -> bool:
        """Bring a session up to date as far as it takes that; tell whether there was time for it."""
        for subscription in session.subscriptions.values():
            if subscription.at is None:
                continue
            if session.backlog():
                self.behind.add(session)  # one thing at a time: what waits for it costs a position each
                break
            if not self._pace.has_budget():
                self.behind.add(session)
                return False
            self.catch_up(session, subscription)
        return True

    def _tell_paced(self) -> None:
        """Tell the audiences whose interval is over what has changed since they were last told."""
        self._are_paced_waiting = False
        now_ms = self._clock() * 1000
        for audience in list(self._dispatcher.audiences.paced):
            if audience.due_ms > now_ms:
                continue
            if not self._pace.has_budget():
                self._go_on_soon()
                break
            audience.due_ms = now_ms + audience.options.interval_ms
            self._tell_since(audience)
        self._dispatcher.settle()

    def _tell_since(self, audience: Audience) -> None:
        if not self._replica.covers(audience.channel, audience.at):
            self._dispatcher.tell_anew(audience)
            return
        frames = self.snapshot_cache.frames(audience, audience.at)
        if frames is None:
            audience.due_ms = 0.0  # it is being made
            return
        audience.at = self._replica.at(audience.channel)
        for framed in frames:
            self._dispatcher.tell(audience, framed)
