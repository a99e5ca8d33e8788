"""The owner of one shard: commits what was staged, writes it, and continues with what was staged meanwhile.

An idle writer flushes at once. Changes staged during a write accumulate, and the next write takes all of them: load makes
batches larger, not queues longer.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from oddsengine.engine.ended_events import STOPPED
from oddsengine.engine.flushing.time_slice import ClockedSlice
from oddsengine.engine.ownership.publication_times import PublicationTimer
from oddsengine.engine.ownership.takeover import stage_known
from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, cause_of, note_outage
from oddsengine.streams.errors import DataLost, Fenced, Overtaken, TooLate
from oddsengine.streams.positions import Position
from oddsengine.streams.publisher import prepare

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from oddsengine.domain.changes import Batch
    from oddsengine.engine.flushing.cut_flush import TimeSlice
    from oddsengine.engine.pipeline import Pipeline
    from oddsengine.offer.owned_offer import OwnedOffer
    from oddsengine.streams.publisher import Publication

#: An idle owner writes this often, so that followers can distinguish it from a dead one.
HEARTBEAT_S: Final = 1.0
#: How long the last write may take: without it, gateways suspend by themselves soon after.
LAST_WRITE_S: Final = 3.0
#: Markets suspended with each of the last writes: some 20 milliseconds.
_SUSPENDED_AT_ONCE: Final = 500
_RETRY_S: Final = 0.1
_RETIRE_EVERY_S: Final = 5.0
#: A write that takes longer than this is overdue: gateways suspend at about the same time.
_OVERDUE_MS: Final = 3000
_log = structlog.get_logger(__name__)


class ShardPublisher(Protocol):
    """The part of `streams.publisher.Publisher` that a writer needs."""

    offer: OwnedOffer

    async def load(self) -> None:
        """Load what the last owner published into another offer."""

    async def claim(self, now_ms: int, unpublished: Sequence[Batch] = (), age_ms: int = 0) -> None:
        """Open an epoch with the whole state, of some age, which includes what is committed and was not published."""

    async def publish(self, publication: Publication) -> None:
        """Write a prepared batch."""


class WriteLease(Protocol):
    """The part of `streams.leases.keeper.Lease` that a writer needs."""

    def is_held(self) -> bool:
        """Check whether this process may write."""

    async def until_held(self) -> None:
        """Wait until it may."""


class UnlimitedLease:
    """The lease of an owner that has no rivals."""

    def is_held(self) -> bool:
        """Return True."""
        return True

    async def until_held(self) -> None:
        """Return at once."""


class _Lapsed(Exception):
    """The lease ended before a batch was written."""


class ShardWriter:
    """The owner of one shard, for as long as it owns it.

    Args:
        pipeline: prices and stages what there is to publish.
        shard: the shard.
        publisher: writes the shard's offer.
        now_ms: Unix milliseconds by a clock that is never set.
        closed_event_ttl_s: how long an event stays on offer after its last market closed.
        heartbeat_s: how often an idle owner writes.
        wall_ms: Unix milliseconds by the system's clock, for the time that batches are published with; None for `now_ms`.
        lease: nothing is written while it is not held.
        time_slice: how much of a large flush is done before that is published and others get their turn; None: 10 ms.
        age_ms: returns how old what is known of the sources is.
    """

    def __init__(  # noqa: PLR0913 - it is wired once
        self,
        pipeline: Pipeline,
        shard: int,
        publisher: ShardPublisher,
        now_ms: Callable[[], int],
        closed_event_ttl_s: float,
        heartbeat_s: float = HEARTBEAT_S,
        wall_ms: Callable[[], int] | None = None,
        lease: WriteLease | None = None,
        time_slice: TimeSlice | None = None,
        age_ms: Callable[[], int] = int,
    ) -> None:
        self._lease = lease or UnlimitedLease()
        self._time_slice = time_slice or ClockedSlice()
        self._age_ms = age_ms
        self._pipeline = pipeline
        self.shard = shard
        self._user = f"owner of shard {shard}"
        self._publisher = publisher
        self._now_ms = now_ms
        self._wall_ms = wall_ms or now_ms
        self._heartbeat_ms = round(heartbeat_s * 1000)
        self._closed_event_ttl_ms = round(closed_event_ttl_s * 1000)
        self._wake = asyncio.Event()
        self._stopped = asyncio.Event()
        self._finishing = False
        #: whether the epoch is ours
        self.is_owner = False
        #: the profiles of the epoch
        self._published_profiles = publisher.offer.profiles
        self._next_retire_ms = 0
        self._next_tick_ms = 0
        self._last_write_ms = now_ms()
        #: why the last attempt to write failed; empty if it did not
        self._failure = ""
        #: batches written
        self.flushes = 0
        #: epochs opened
        self.claims = 0
        #: how long what it publishes takes
        self.timer = PublicationTimer(shard)

    @property
    def is_stopped(self) -> bool:
        """Whether the writer is to suspend every market and end, or has."""
        return self._stopped.is_set()

    def receive(self, source: str, received_ms: int, provider_ms: int | None) -> None:
        """Flush now, for a message that may concern this shard; see `PublicationTimer.received`."""
        self.timer.received(source, received_ms, provider_ms)
        self._wake.set()

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
        self._stopped.set()
        self._wake.set()

    def finish(self) -> None:
        """Flush once more and end `run` without suspending anything: another owner continues."""
        self._finishing = True
        self._wake.set()

    def dropped(self) -> None:
        """Note that another engine owns the shard, and that its tasks here were cancelled."""
        self.is_owner = False
        self._failure = ""
        REDIS_OUTAGE.worked(self._user)

    async def take_over(self) -> None:
        """Open an epoch with what is priced now, on top of what the last owner published. Waits until Redis answers.

        What the last owner had open and is not priced here is suspended.
        """
        self._finishing = False
        await self._retry(self._load_and_claim)
        self.is_owner = True

    def keep(self, closed_event_ttl_s: float) -> None:
        """Keep events on offer for another time after their last market closed."""
        self._closed_event_ttl_ms = round(closed_event_ttl_s * 1000)

    async def run(self) -> None:
        """Publish until stopped, finished or cancelled.

        However it ends, except if it is finished or cancelled, its last write suspends every market.

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
        finally:
            self.is_owner = False
        if self._stopped.is_set():
            await self._suspend_all()

    async def _publish(self) -> None:
        offer, timer = self._publisher.offer, self.timer
        self._last_write_ms = self._now_ms()
        while True:
            idle_s = (self._heartbeat_ms - self._now_ms() + self._last_write_ms) / 1000
            try:
                async with asyncio.timeout(max(idle_s, 0.0)):
                    await self._wake.wait()
            except TimeoutError:
                pass  # time for a heartbeat
            if self._stopped.is_set():
                return
            self._wake.clear()
            if not self._lease.is_held():
                await self._until_held()
                continue
            is_last = self._finishing
            now_ms = self._now_ms()
            if now_ms >= self._next_retire_ms:
                self._next_retire_ms = now_ms + round(_RETIRE_EVERY_S * 1000)
                self._pipeline.retire(self.shard, now_ms, self._closed_event_ttl_ms)
            if now_ms >= self._next_tick_ms:
                self._next_tick_ms = now_ms + round(HEARTBEAT_S * 1000)
                self._pipeline.tick(now_ms)
            timer.begin(now_ms)
            is_whole = self._pipeline.flush(self.shard, now_ms, self._time_slice)
            if not self._lease.is_held():
                # It has ended meanwhile. What is staged is published with what is newer by then.
                self._wake.set()
                continue
            is_due = now_ms - self._last_write_ms >= self._heartbeat_ms
            batch = offer.commit(self._wall_ms(), heartbeat=is_due)
            if offer.profiles != self._published_profiles:
                # No batch can say that prices have other places: all of them move at once, with a new epoch.
                await self._claim_again(batch)
                self._last_write_ms = self._now_ms()
            elif batch is not None:
                timer.commit(self._now_ms())
                await self._write(batch)
                self.flushes += 1
                self._last_write_ms = self._now_ms()
                timer.written(Position(offer.epoch, offer.seq), len(batch.markets), self._last_write_ms, self._wall_ms())
            if not is_whole:
                self._wake.set()
                await asyncio.sleep(0)
                continue
            timer.end()
            if is_last:
                return

    async def _until_held(self) -> None:
        """Wait until the lease is held again, or the writer is to stop."""
        held = asyncio.create_task(self._lease.until_held())
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait({held, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            held.cancel()
            stopped.cancel()
        self._wake.set()

    async def _suspend_all(self) -> None:
        offer = self._publisher.offer
        try:
            async with asyncio.timeout(LAST_WRITE_S):
                while True:
                    is_whole = offer.suspend_all(STOPPED, limit=_SUSPENDED_AT_ONCE)
                    batch = offer.commit(self._wall_ms())
                    if batch is not None:
                        await self._write(batch)
                    if is_whole:
                        return
        except TimeoutError:
            _log.error("last write not made, gateways will suspend the markets", shard=self.shard, timeout_s=LAST_WRITE_S)

    async def _write(self, batch: Batch) -> None:
        publication = prepare(self._publisher.offer, batch, self._now_ms(), self._age_ms())
        try:
            await self._retry(partial(self._publisher.publish, publication), gives_up=not self._stopped.is_set())
        except DataLost as lost:
            # The claim writes the whole state, this batch included.
            _log.error("data lost, claiming the shard", reason=str(lost))
            await self._claim_again(batch)
        except (_Lapsed, TooLate) as error:
            # Nobody knows whether the batch was written. It is old by now, and must not be shown for a moment.
            reason = str(error) or "its lease has ended"
            _log.warning("write not in time, claiming the shard", shard=self.shard, reason=reason)
            await self._lease.until_held()
            await self._flush_all()
            await self._claim_again(batch, self._publisher.offer.commit(self._wall_ms()))

    async def _flush_all(self) -> None:
        """Stage everything that is dirty, before an epoch is opened with it."""
        while True:
            if self._pipeline.flush(self.shard, self._now_ms(), self._time_slice):
                return
            await asyncio.sleep(0)

    async def _claim_again(self, *unpublished: Batch | None) -> None:
        epoch = self._publisher.offer.epoch
        batches = [*unpublished]
        while True:
            try:
                await self._retry(partial(self._claim, *batches))
            except Overtaken as overtaken:
                raise Fenced(self.shard, epoch, overtaken.top) from overtaken
            except TooLate as late:
                # What it says is old by now, and must not be shown for a moment.
                _log.warning("claim not in time, claiming the shard again", shard=self.shard, reason=str(late))
                await self._lease.until_held()
                await self._flush_all()
                batches.append(self._publisher.offer.commit(self._wall_ms()))
            else:
                return

    async def _load_and_claim(self) -> None:
        while True:
            await self._publisher.load()
            offer = self._publisher.offer
            offer.change_profiles(self._pipeline.profiles)
            known = self._pipeline.offers[self.shard]
            if known is not offer:
                await self._flush_all()
            recovering = stage_known(offer, known)
            offer.commands = self._pipeline.commands.obeyed
            committed = offer.commit(self._wall_ms())
            try:
                await self._claim(committed)
            except TooLate as late:
                _log.warning("claim not in time, claiming the shard again", shard=self.shard, reason=str(late))
            except Overtaken as overtaken:
                _log.info("shard written to while it was taken over, loading it again", shard=self.shard, reason=str(overtaken))
            else:
                self._pipeline.offers[self.shard] = offer
                _log.info(
                    "shard taken over", shard=self.shard, epoch=offer.epoch, markets=len(offer.markets), recovering=recovering
                )
                return

    async def _claim(self, *unpublished: Batch | None) -> None:
        batches = [batch for batch in unpublished if batch is not None]
        await self._publisher.claim(self._now_ms(), batches, self._age_ms())
        self._published_profiles = self._publisher.offer.profiles
        self.claims += 1

    async def _retry(self, action: Callable[[], Awaitable[None]], *, gives_up: bool = False) -> None:
        """Repeat an action until Redis has answered and the lease is held.

        Raises:
            _Lapsed: if it `gives_up` when the lease ends.
        """
        while True:
            if not self._lease.is_held():
                await self._lease.until_held()
                if gives_up:
                    raise _Lapsed
            try:
                await action()
            except UNAVAILABLE as error:
                self._failure = cause_of(error)
                note_outage(self._user, error)
                await asyncio.sleep(_RETRY_S)
            else:
                self._failure = ""
                REDIS_OUTAGE.worked(self._user)
                return
