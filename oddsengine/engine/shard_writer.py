"""The owner of one shard: commits what was staged, writes it, and continues with what was staged meanwhile.

An idle writer flushes at once. Changes staged during a write accumulate, and the next write takes all of them: load makes
batches larger, not queues longer.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from oddsengine.engine.ended_events import RECOVERING, STOPPED
from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, cause_of, note_outage
from oddsengine.streams.errors import DataLost, Fenced
from oddsengine.streams.publisher import prepare

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oddsengine.engine.pipeline import Pipeline
    from oddsengine.offer.owned_offer import OwnedOffer
    from oddsengine.streams.publisher import Publication

#: An idle owner writes this often, so that followers can distinguish it from a dead one.
HEARTBEAT_S: Final = 1.0
#: How long the last write may take: without it, gateways suspend by themselves soon after.
LAST_WRITE_S: Final = 3.0
_RETRY_S: Final = 0.1
_RETIRE_EVERY_S: Final = 5.0
#: A write that takes longer than this is overdue: gateways suspend at about the same time.
_OVERDUE_MS: Final = 3000
_log = structlog.get_logger(__name__)


class ShardPublisher(Protocol):
    """What a writer needs of `streams.publisher.Publisher`."""

    offer: OwnedOffer

    async def load(self) -> None:
        """Load what the last owner published."""

    async def claim(self, now_ms: int) -> None:
        """Open an epoch with the whole state."""

    async def publish(self, publication: Publication) -> None:
        """Write a prepared batch."""


class ShardWriter:
    """The owner of one shard.

    Args:
        pipeline: prices and stages what there is to publish.
        shard: the shard.
        publisher: writes the shard's offer.
        now_ms: Unix milliseconds by a clock that is never set.
        closed_event_ttl_s: how long an event stays on offer after its last market closed.
        heartbeat_s: how often an idle owner writes.
        wall_ms: Unix milliseconds by the system's clock, for the time that batches are published with; None for `now_ms`.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        shard: int,
        publisher: ShardPublisher,
        now_ms: Callable[[], int],
        closed_event_ttl_s: float,
        heartbeat_s: float = HEARTBEAT_S,
        wall_ms: Callable[[], int] | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._shard = shard
        self._publisher = publisher
        self._now_ms = now_ms
        self._wall_ms = wall_ms or now_ms
        self._heartbeat_ms = round(heartbeat_s * 1000)
        self._closed_event_ttl_ms = round(closed_event_ttl_s * 1000)
        self._wake = asyncio.Event()
        self._stopping = False
        self._next_retire_ms = 0
        self._next_tick_ms = 0
        self._last_write_ms = now_ms()
        #: why the last attempt to write failed; empty if it did not
        self._failure = ""
        #: batches written
        self.flushes = 0
        #: epochs opened
        self.claims = 0

    def wake(self) -> None:
        """Flush now: there may be something to publish."""
        self._wake.set()

    def problem(self) -> str:
        """Return why what is staged does not reach Redis; empty if it does."""
        if self._failure:
            return f"Redis does not take its writes: {self._failure}"
        silent_ms = self._now_ms() - self._last_write_ms - self._heartbeat_ms
        return f"nothing was written for {silent_ms / 1000:.0f} s" if silent_ms > _OVERDUE_MS else ""

    def stop(self) -> None:
        """Suspend every market with the next write, and end `run` after it."""
        self._stopping = True
        self._wake.set()

    async def take_over(self) -> None:
        """Load what the last owner published, suspend what was open, and open an epoch. Waits until Redis answers."""
        await self._retry(self._load_and_claim)

    async def run(self) -> None:
        """Publish until stopped or cancelled. However it ends, except by cancellation, its last write suspends every market.

        Raises:
            Fenced: another engine has taken the shard over.
        """
        try:
            await self._publish()
        except Fenced:
            raise
        except Exception:
            # Whatever made the last flush fail, prices that are no longer updated must not stay open.
            await self._suspend_all()
            raise
        await self._suspend_all()

    async def _publish(self) -> None:
        offer = self._publisher.offer
        self._last_write_ms = self._now_ms()
        while True:
            idle_s = (self._heartbeat_ms - self._now_ms() + self._last_write_ms) / 1000
            try:
                async with asyncio.timeout(max(idle_s, 0.0)):
                    await self._wake.wait()
            except TimeoutError:
                pass  # time for a heartbeat
            if self._stopping:
                return
            self._wake.clear()
            now_ms = self._now_ms()
            if now_ms >= self._next_retire_ms:
                self._next_retire_ms = now_ms + round(_RETIRE_EVERY_S * 1000)
                self._pipeline.retire(self._shard, now_ms, self._closed_event_ttl_ms)
            if now_ms >= self._next_tick_ms:
                self._next_tick_ms = now_ms + round(HEARTBEAT_S * 1000)
                self._pipeline.tick(now_ms)
            self._pipeline.flush(self._shard, now_ms)
            is_due = now_ms - self._last_write_ms >= self._heartbeat_ms
            batch = offer.commit(self._wall_ms(), heartbeat=is_due)
            if batch is not None:
                await self._write(prepare(offer, batch))
                self.flushes += 1
                self._last_write_ms = self._now_ms()

    async def _suspend_all(self) -> None:
        offer = self._publisher.offer
        offer.suspend_all(STOPPED)
        batch = offer.commit(self._wall_ms())
        if batch is None:
            return
        try:
            async with asyncio.timeout(LAST_WRITE_S):
                await self._write(prepare(offer, batch))
        except TimeoutError:
            _log.error("last write not made, gateways will suspend the markets", shard=self._shard, timeout_s=LAST_WRITE_S)

    async def _write(self, publication: Publication) -> None:
        try:
            await self._retry(partial(self._publisher.publish, publication))
        except DataLost as lost:
            # The claim writes the whole state, this batch included.
            _log.error("data lost, claiming the shard", reason=str(lost))
            await self._retry(self._claim)

    async def _load_and_claim(self) -> None:
        await self._publisher.load()
        self._publisher.offer.suspend_all(RECOVERING, instead_of=STOPPED)
        self._publisher.offer.commit(self._wall_ms())
        await self._claim()

    async def _claim(self) -> None:
        await self._publisher.claim(self._now_ms())
        self.claims += 1

    async def _retry(self, action: Callable[[], Awaitable[None]]) -> None:
        user = f"owner of shard {self._shard}"
        while True:
            try:
                await action()
            except UNAVAILABLE as error:
                self._failure = cause_of(error)
                note_outage(user, error)
                await asyncio.sleep(_RETRY_S)
            else:
                self._failure = ""
                REDIS_OUTAGE.worked(user)
                return
