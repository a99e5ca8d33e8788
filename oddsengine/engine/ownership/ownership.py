"""Keeps the shards of this engine: renews its lease, takes shards that are its own, and hands them to other engines.

What is to be done is decided by `streams.leases.state`; here it is carried out. One call to Redis renews the lease of all shards.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.common.tasks import end_tasks
from oddsengine.engine.flushing.time_slice import ClockedSlice
from oddsengine.engine.ownership.config_watch import ConfigWatch
from oddsengine.engine.ownership.shard_writer import LAST_WRITE_S
from oddsengine.streams.errors import Fenced
from oddsengine.streams.leases.keeper import LeaseKeeper
from oddsengine.streams.leases.state import Local

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oddsengine.engine.ownership.shard_writer import ShardWriter
    from oddsengine.engine.pipeline import Pipeline
    from oddsengine.streams.leases.table import LeaseTable

#: How long an engine that stops waits for others to take its shards.
SHARDS_HAND_OVER_S: Final = 10.0
#: For how long an engine that has just started waits until its sources are followed, before it takes shards without them.
WARM_UP_S: Final = 3.0
#: After a rival that has no lease has opened an epoch, its shard is left alone for this many leases.
_BLOCKED_LEASES: Final = 5
_RETIRE_EVERY_S: Final = 30.0
_log = structlog.get_logger(__name__)


class Ownership:
    """The shards of one engine.

    Args:
        name: the engine's name, unique in its installation.
        table: where the leases are.
        pipeline: prices and stages what there is to publish.
        lease_s: how long the lease lasts.
        closed_event_ttl_s: how long events of shards of other engines are kept after their last market closed.
        now_ms: Unix milliseconds by a clock that is never set.
        catch_up: is awaited before a shard is taken over, so that nothing is published that was commanded otherwise.
        warm_up_s: for how long to take no shards after the start unless `is_followed`; 0: all are taken at once.
        clock: monotonic seconds.
    """

    def __init__(  # noqa: PLR0913 - it is wired once
        self,
        name: str,
        table: LeaseTable,
        pipeline: Pipeline,
        *,
        lease_s: float,
        closed_event_ttl_s: float,
        now_ms: Callable[[], int],
        catch_up: Callable[[], Awaitable[None]],
        warm_up_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        shards = [str(shard) for shard in range(len(pipeline.offers))]
        self._keeper = LeaseKeeper(name, table, "shards", shards, lease_s, clock=clock)
        self._state = self._keeper.state
        self._pipeline = pipeline
        self._closed_event_ttl_ms = round(closed_event_ttl_s * 1000)
        self._now_ms = now_ms
        self._time_slice = ClockedSlice()
        self._catch_up = catch_up
        self._clock = clock
        self._writers: list[ShardWriter] = []
        #: shard -> what takes it over and then writes it
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self._prepared: set[str] = set()
        self._finished: set[str] = set()
        #: shard -> until when it is left alone
        self._blocked_s: dict[str, float] = {}
        #: shards that were lost to another epoch, until it is known whose
        self._fenced: set[str] = set()
        self._is_leaving = False
        self._is_stopping = False
        self._has_ended = False
        self._next_retire_s = 0.0
        self._cold_until_s = clock() + warm_up_s
        self._has_settled = asyncio.Event()
        self._config_watch = ConfigWatch(clock)
        #: returns whether everything is known of each source, or that it is down
        self.is_followed: Callable[[], bool] = lambda: False
        self.lease = self._keeper.lease
        #: the writers of the shards that are owned, or being taken over
        self.active: list[ShardWriter] = []
        self.handed_over = self.lost = 0

    def keep(self, closed_event_ttl_s: float) -> None:
        """Keep events of shards of other engines for another time after their last market closed."""
        self._closed_event_ttl_ms = round(closed_event_ttl_s * 1000)

    def use(self, writers: list[ShardWriter]) -> None:
        """Set the writers, one for each shard."""
        self._writers = writers

    def price_by(self, config: str) -> None:
        """Announce to other engines what identifies the rules that this one prices by."""
        self._state.config = config
        self._keeper.changed.set()

    @property
    def owned(self) -> list[int]:
        """The shards that this engine publishes."""
        return [shard for shard, writer in enumerate(self._writers) if writer.is_owner]

    @property
    def engines(self) -> int:
        """The number of engines that are alive, this one included."""
        return len(self._keeper.others()) + 1

    async def join(self) -> None:
        """Take over the shards that nobody owns. Waits until Redis answers, but for no other engine.

        Raises:
            Fenced: if another engine without a lease has taken one of them over meanwhile.
        """
        try:
            while True:
                answered = await self._step()
                if answered and self._keeper.is_settled and all(self._is_owner(shard) for shard in self._tasks):
                    return
                await self._keeper.pause()
        except BaseException:
            await self.end()
            await self._keeper.leave()
            raise

    async def until_settled(self) -> None:
        """Wait, while `run` goes on, until this engine is warm and has taken what nobody else owns."""
        await self._has_settled.wait()

    async def run(self) -> None:
        """Keep the shards until cancelled, or until all were given up after `stop`."""
        while not self._has_ended:
            await self._step()
            await self._keeper.pause()

    async def hand_over(self, timeout_s: float = SHARDS_HAND_OVER_S) -> None:
        """Release all shards to other engines, while `run` goes on. Nothing is suspended for it.

        Args:
            timeout_s: how long to wait for them.
        """
        self._is_leaving = True
        try:
            async with asyncio.timeout(timeout_s):
                await self._keeper.until_given_up(lambda: bool(self._tasks or self._finished))
        except TimeoutError:
            _log.warning("shards not handed over in time", shards=sorted(map(int, self._tasks)), timeout_s=timeout_s)

    async def stop(self, timeout_s: float = LAST_WRITE_S) -> None:
        """Suspend what is still owned with the last write of each shard, then give up the lease. May be called again."""
        self._is_leaving = self._is_stopping = True
        for writer in self._writers:
            writer.stop()
        pending = {task for task in self._tasks.values() if not task.done()}
        if pending:
            _, pending = await asyncio.wait(pending, timeout=timeout_s)
        if pending:
            _log.error("markets not suspended in time, gateways will suspend them", shards=len(pending), timeout_s=timeout_s)
        self._has_ended = True
        await self._keeper.leave()

    async def end(self) -> None:
        """End everything at once."""
        tasks = [*self._tasks.values(), *self._preparing.values()]
        await end_tasks(tasks)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _step(self) -> bool:
        """Renew the lease, and do what is to be done. Return whether Redis has answered."""
        self._reap()
        if not await self._keeper.step(self._rank(), is_leaving=self._is_leaving):
            return False
        self._reap()
        now_s = self._clock()
        await self._decide(now_s)
        self._keeper.note()
        self._config_watch.note(self._state.configured_otherwise(now_s))
        if now_s >= self._next_retire_s:
            self._next_retire_s = now_s + _RETIRE_EVERY_S
            unowned = {shard for shard in range(len(self._writers)) if str(shard) not in self._tasks}
            if unowned:
                self._pipeline.retire_unowned(unowned, self._now_ms(), self._closed_event_ttl_ms)
        return True

    def _rank(self) -> int:
        """Return how many sources are live here: an engine that lacks one is given no shard of an engine that has it."""
        return sum(book.health == "live" for book in self._pipeline.books.values()) if self._keeper.was_held else 0

    async def _decide(self, now_s: float) -> None:
        self._note_rivals(now_s)
        is_cold = self._is_cold(now_s)
        local = Local(self._tasks.keys(), self._prepared, self._finished, self._blocked_s.keys(), is_cold)
        decision = self._keeper.decide(local)
        if not (is_cold or decision.take or decision.operations) and all(map(self._is_owner, self._tasks)):
            self._has_settled.set()
        for shard in decision.drop:
            await self._drop(shard, "owned by another engine", owner=self._state.owner_of(shard))
        for shard in self._preparing.keys() - set(decision.take):
            if not self._state.is_heir(shard):
                self._discard(shard)
        if not self._is_stopping:
            for shard in decision.take:
                self._take(shard)
            for shard in decision.prepare:
                if shard not in self._preparing:
                    self._preparing[shard] = asyncio.create_task(self._prepare(shard), name=f"prepare {shard}")
        for shard in decision.finish:
            if self._is_owner(shard):
                self._writers[int(shard)].finish()

    def _is_cold(self, now_s: float) -> bool:
        if now_s < self._cold_until_s and self.is_followed():
            self._cold_until_s = now_s
        return now_s < self._cold_until_s

    def _note_rivals(self, now_s: float) -> None:
        """Leave a shard alone for a while if somebody without a lease has opened an epoch on it."""
        self._blocked_s = {shard: until_s for shard, until_s in self._blocked_s.items() if until_s > now_s}
        for shard in self._fenced:
            if self._state.owner_of(shard) == self._keeper.name:
                self._blocked_s[shard] = now_s + _BLOCKED_LEASES * self._keeper.lease_s
        self._fenced.clear()
        self._finished = {shard for shard in self._finished if self._state.owner_of(shard) == self._keeper.name}

    def _is_owner(self, shard: str) -> bool:
        return self._writers[int(shard)].is_owner

    def _take(self, shard: str) -> None:
        self._finished.discard(shard)
        self._prepared.discard(shard)
        writer = self._writers[int(shard)]
        self.active.append(writer)
        self._tasks[shard] = asyncio.create_task(
            self._own(shard, writer, self._preparing.pop(shard, None)), name=f"shard {shard}"
        )

    async def _own(self, shard: str, writer: ShardWriter, preparing: asyncio.Task[None] | None) -> None:
        try:
            if preparing is not None:
                await end_tasks([preparing])
            await self._price(int(shard))
            await self._catch_up()
            await writer.take_over()
            self._keeper.changed.set()
            await writer.run()
        finally:
            self._keeper.changed.set()

    async def _prepare(self, shard: str) -> None:
        await self._price(int(shard))
        self._prepared.add(shard)
        self._keeper.changed.set()

    async def _price(self, shard: int) -> None:
        while True:
            if self._pipeline.flush(shard, self._now_ms(), self._time_slice):
                return
            await asyncio.sleep(0)

    def _reap(self) -> None:
        """Drop the writers that have ended.

        Raises:
            Exception: what one has failed with.
        """
        for preparing in self._preparing.values():
            if preparing.done() and not preparing.cancelled():
                preparing.result()
        for shard in [shard for shard, task in self._tasks.items() if task.done()]:
            task = self._tasks.pop(shard)
            self.active.remove(self._writers[int(shard)])
            try:
                task.result()
            except Fenced as fenced:
                self._fenced.add(shard)
                self._note_loss(shard, str(fenced))
            else:
                if not self._writers[int(shard)].is_stopped:
                    self.handed_over += 1
                    self._finished.add(shard)
                    self._pipeline.release(int(shard))
                    _log.info("shard handed over", shard=int(shard))

    async def _drop(self, shard: str, reason: str, **details: str) -> None:
        task = self._tasks.pop(shard)
        self.active.remove(self._writers[int(shard)])
        await end_tasks([task])
        self._note_loss(shard, reason, **details)

    def _note_loss(self, shard: str, reason: str, **details: str) -> None:
        self.lost += 1
        self._writers[int(shard)].dropped()
        self._pipeline.release(int(shard))
        _log.warning("shard lost", shard=int(shard), reason=reason, **details)

    def _discard(self, shard: str) -> None:
        """Undo the preparation for a shard that is not handed to us after all."""
        self._prepared.discard(shard)
        self._preparing.pop(shard).cancel()
        self._pipeline.release(int(shard))
