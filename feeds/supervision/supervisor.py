"""Keeps one feed connected: runs one session after the other, with waits between them, and publishes when trust is lost.

The states are in `feeds.supervision.states`, a single connection in `feeds.supervision.session`.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from feeds.errors import ContinuityLost, FeedError, ProviderRefused, WentStale
from feeds.recording.packet import Packet
from feeds.supervision.counters import FeedCounters
from feeds.supervision.event_handler import EventHandler
from feeds.supervision.health_tracker import HealthTracker
from feeds.supervision.retry import Retry
from feeds.supervision.session import FeedSession, SessionContext
from feeds.supervision.settings import Supervision
from feeds.supervision.states import FeedState, FeedStatus, Trigger
from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.redaction import SECRETS
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from feeds.feed import Feed, Quota
    from feeds.supervision.event_handler import Sink
    from feeds.supervision.lag import LagMeter
    from feeds.transports.http import HttpClient
    from oddsengine.domain.feed_updates import SourceHealth


class Supervisor:
    """Runs one feed until cancelled.

    Args:
        name: the feed's name.
        feed: the feed's codec, transport and abilities.
        sink: receives the updates.
        supervision: the feed's limits and waits.
        tap: receives everything the feed receives, as it arrives, to record it.
        now_ms: the wall clock, Unix milliseconds.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        feed: Feed,
        sink: Sink,
        supervision: Supervision | None = None,
        *,
        tap: Callable[[Packet], None] | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._feed = feed
        self._sink = sink
        self._supervision = supervision or Supervision()
        self._tap = tap
        self._now_ms = now_ms
        self._clock = clock
        self.status = FeedStatus(name, now_ms, clock)
        self.retry = Retry(self._supervision, clock)
        self.counters = FeedCounters()
        self._health = HealthTracker(self.status, self._supervision.lag_limit_s, self._publish)
        self._events = EventHandler(name, sink, self._health, self.counters, now_ms, clock)
        self._context = SessionContext(
            name=name,
            feed=feed,
            limits=self._supervision,
            status=self.status,
            health=self._health,
            events=self._events,
            counters=self.counters,
            retry=self.retry,
            tap=tap,
            now_ms=now_ms,
            clock=clock,
        )

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the feed's sources."""
        return self._feed.sources

    @property
    def http(self) -> HttpClient | None:
        """The feed's HTTP client, with its counters; None if it has none."""
        return self._feed.http

    @property
    def lag(self) -> LagMeter:
        """The delay of the feed's messages."""
        return self._health.lag

    @property
    def quota(self) -> Quota | None:
        """The feed's request allowance, as the provider last reported it; None if it has not."""
        return self._events.quota

    @property
    def state(self) -> FeedState:
        """The state of the feed."""
        return self.status.state

    @property
    def reason(self) -> str:
        """The reason for the feed's state."""
        return self.status.reason

    @property
    def received_ms(self) -> int | None:
        """The time at which the provider last sent anything, Unix milliseconds; None before the first time."""
        return self.status.received_ms

    async def run(self) -> None:
        """Connect, and reconnect whenever the connection is lost, until cancelled."""
        while True:
            # A round ends with a session that was live, so only failures in a row add up to longer waits.
            async for attempt in self.retry.attempts():
                with attempt, self.retry.breaker:
                    await self._attempt()
                    self.retry.failures = 0
            await asyncio.sleep(self.retry.wait_s(1))

    async def _attempt(self) -> None:
        """Run one session to its end. Raises its error unless it was live for long enough to count as a success."""
        self.status.apply(Trigger.CONNECT, "connecting")
        began_s = self._clock()
        try:
            await FeedSession(self._context).run()
        except (OSError, FeedError) as error:
            was_live = self.state in {FeedState.LIVE, FeedState.LAGGING}
            self._handle_loss(error, was_live=was_live)
            if not was_live or self._clock() - began_s < self._supervision.backoff_ceiling_s:
                raise

    def _handle_loss(self, error: OSError | FeedError, *, was_live: bool) -> None:
        """Publish that the sources can't be trusted any more."""
        reason = SECRETS.redact(str(error) or type(error).__name__)
        health: SourceHealth = "stale" if isinstance(error, WentStale) else "down"
        self.counters.failures += 1
        if isinstance(error, ContinuityLost) and error.reset:
            self._feed.codec.reset()
            self._record(Packet(at_ms=self._now_ms(), kind="reset"))
        self.status.apply(Trigger.WENT_STALE if health == "stale" else Trigger.LOST, reason)
        self.counters.continuity_lost += was_live
        is_fatal = isinstance(error, ProviderRefused) and error.fatal
        self.status.note_failure("refused" if is_fatal else health, reason, was_live=was_live, received_ms=self.received_ms)
        self._health.publish(health, reason)

    def _publish(self, health: SourceHealth, reason: str) -> None:
        self._record(Packet(at_ms=self._now_ms(), kind="status", text=reason, health=health))
        for source in self._feed.sources:
            self._sink.receive(UpdateBatch(source, None, [SourceStatus(health, reason)]))

    def _record(self, packet: Packet) -> None:
        if self._tap is not None:
            self._tap(packet)
