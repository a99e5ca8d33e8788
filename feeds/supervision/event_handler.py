"""What becomes of what a codec says: updates go to the sink, claims are weighed, samples compared, rejections counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog

from feeds.errors import ContinuityLost
from feeds.feed import Dropped, Quota, Rejected, VerificationSnapshot
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
    """Who takes what feeds say; called in the event loop, must not block."""

    def receive(self, batch: UpdateBatch) -> None:
        """Take updates of one source."""
        ...

    def agrees(self, batch: UpdateBatch) -> bool:
        """Tell whether images say what is held already; changes nothing."""
        ...


class EventHandler:
    """Takes what the codec of one feed says, in the order in which it came.

    Args:
        name: the feed's name.
        sink: takes what it says of markets.
        trust: weighs what it says of itself.
        counters: are kept up to date.
        now_ms: the wall clock, Unix milliseconds.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        sink: Sink,
        trust: HealthTracker,
        counters: FeedCounters,
        now_ms: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._sink = sink
        self._trust = trust
        self._counters = counters
        self._now_ms = now_ms
        self._clock = clock
        self.quota: Quota | None = None

    def take(self, events: list[CodecEvent], watchdog: Watchdog) -> None:
        """Take all that a codec said, and only then give up what has to be: it will not say any of it again.

        Args:
            events: what it said.
            watchdog: watches the connection on which it did.

        Raises:
            FeedError: if the connection has to be given up; it says why.
        """
        trouble: FeedError | None = None
        for event in events:
            if isinstance(event, UpdateBatch):
                trouble = self._pass_on(event, watchdog) or trouble
            elif isinstance(event, Rejected):
                self._counters.rejected += 1
                _log.warning(
                    "provider message rejected", feed=self._name, where=event.where, reason=event.reason, excerpt=event.excerpt
                )
            elif isinstance(event, Dropped):
                self._counters.dropped += 1
            elif isinstance(event, Quota):
                self.quota = event
            elif isinstance(event, VerificationSnapshot):
                self._compare(event, watchdog)
            else:
                trouble = trouble or event
        if trouble is not None:
            raise trouble

    def _pass_on(self, batch: UpdateBatch, watchdog: Watchdog) -> FeedError | None:
        """Hand a batch to the sink; what the codec says of its source is a claim, and goes on only if we agree.

        Gives why the connection has to be given up, if it has to be.
        """
        self._counters.messages += 1
        claims = [update for update in batch.updates if isinstance(update, SourceStatus)]
        if claims:
            for claim in claims:
                self._trust.follow(claim)
            rest: list[FeedUpdate] = [update for update in batch.updates if not isinstance(update, SourceStatus)]
            if not rest:
                return None
            batch = UpdateBatch(batch.source, batch.published_ms, rest)
        moved = watchdog.take(batch, self._clock())
        self._sink.receive(batch)
        if self._trust.is_unproven and moved:
            # What it did not tell while it stood still it may never tell.
            return ContinuityLost("it moves again; starting from a whole snapshot", reset=True)
        if batch.published_ms is not None:
            self._trust.measure(batch.published_ms, self._now_ms())
        return None

    def _compare(self, sample: VerificationSnapshot, watchdog: Watchdog) -> None:
        """Hold a sample against what the engine holds, then take it over."""
        agrees = all(self._sink.agrees(batch) for batch in sample.batches)
        for batch in sample.batches:
            self._sink.receive(batch)
        watchdog.sampled(self._clock(), agrees=agrees, is_last=sample.is_last)
