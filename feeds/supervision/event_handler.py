"""Handles the events of a codec: updates go to the sink, the rest to the health tracker, the watchdog and the counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog

from feeds.errors import ContinuityLost
from feeds.feed import Dropped, Quota, Rejected, VerificationSnapshot
from feeds.inspection import UpdateInspector
from oddsengine.common.excerpts import bounded
from oddsengine.common.reporting.line_limit import LineLimit
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from feeds.errors import FeedError
    from feeds.feed import CodecEvent
    from feeds.supervision.counters import FeedCounters
    from feeds.supervision.health_tracker import HealthTracker
    from feeds.supervision.watchdog import Watchdog
    from oddsengine.domain.feed_updates import FeedUpdate

_log = structlog.get_logger(__name__)


class Sink(Protocol):
    """Receives the updates of feeds. Called in the event loop; must not block."""

    def receive(self, batch: UpdateBatch) -> None:
        """Apply updates of one source."""
        ...

    def agrees(self, batch: UpdateBatch) -> bool:
        """Return whether the images in a batch match the current state. Changes nothing."""
        ...


class EventHandler:
    """Handles the events of one feed's codec, in order.

    Args:
        name: the feed's name.
        sink: receives the updates of events and markets.
        health: receives what the provider reports about its own health, and the times of messages.
        counters: the feed's counters.
        now_ms: the wall clock, Unix milliseconds.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        sink: Sink,
        health: HealthTracker,
        counters: FeedCounters,
        now_ms: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._sink = sink
        self._health = health
        self._counters = counters
        self._now_ms = now_ms
        self._clock = clock
        #: as the provider last reported it; None until it has
        self.quota: Quota | None = None
        self._rejection_lines = LineLimit(clock)
        self._inspector = UpdateInspector()

    def handle(self, events: list[CodecEvent], watchdog: Watchdog) -> None:
        """Handle events, all of them before raising: the codec will not return any of them again.

        Args:
            events: the events, in the order in which the codec returned them.
            watchdog: the watchdog of the connection they came from.

        Raises:
            FeedError: if the connection must be closed.
        """
        failure: FeedError | None = None
        for event in events:
            if isinstance(event, UpdateBatch):
                failure = self._handle_batch(event, watchdog) or failure
            elif isinstance(event, Rejected):
                self._reject(event)
            elif isinstance(event, Dropped):
                self._counters.dropped += 1
            elif isinstance(event, Quota):
                self.quota = event
            elif isinstance(event, VerificationSnapshot):
                self._verify(event, watchdog)
            else:
                failure = failure or event
        if failure is not None:
            raise failure

    def _inspect(self, batch: UpdateBatch) -> UpdateBatch:
        usable, rejected = self._inspector.inspect(batch)
        for event in rejected:
            self._reject(event)
        return usable

    def _reject(self, event: Rejected) -> None:
        self._counters.rejected += 1
        if (left_out := self._rejection_lines.take()) is not None:
            _log.warning(
                "provider message rejected",
                feed=self._name,
                where=bounded(event.where),
                reason=bounded(event.reason),
                excerpt=event.excerpt,
                left_out=left_out,
            )

    def _handle_batch(self, batch: UpdateBatch, watchdog: Watchdog) -> FeedError | None:
        """Pass a batch to the sink, except what the provider claims about its own health: the health tracker decides on that.

        Returns an error if the connection must be closed.
        """
        self._counters.messages += 1
        batch = self._inspect(batch)
        claims = [update for update in batch.updates if isinstance(update, SourceStatus)]
        if claims:
            for claim in claims:
                self._health.apply_claim(claim)
            rest: list[FeedUpdate] = [update for update in batch.updates if not isinstance(update, SourceStatus)]
            if not rest:
                return None
            batch = UpdateBatch(batch.source, batch.published_ms, rest)
        changed = watchdog.observe(batch, self._clock())
        self._sink.receive(batch)
        if self._health.is_unproven and changed:
            # What changed while the feed was frozen may never be sent on this stream.
            return ContinuityLost("sends changes again after being frozen; starting from a full snapshot", reset=True)
        if batch.published_ms is not None:
            self._health.measure(batch.published_ms, self._now_ms())
        return None

    def _verify(self, snapshot: VerificationSnapshot, watchdog: Watchdog) -> None:
        """Compare a snapshot with the current state, then apply it."""
        batches = [self._inspect(batch) for batch in snapshot.batches]
        agrees = all(self._sink.agrees(batch) for batch in batches)
        for batch in batches:
            self._sink.receive(batch)
        watchdog.snapshot_received(self._clock(), agrees=agrees, is_last=snapshot.is_last)
