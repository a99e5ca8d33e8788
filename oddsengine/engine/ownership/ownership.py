"""Keeps the shards of this engine: renews its lease, takes shards that are its own, and hands them to other engines.

What is to be done is decided by `streams.leases.state`; here it is carried out. One call to Redis renews the lease of all shards.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.common.tasks import end_tasks
from oddsengine.engine.ownership.shard_writer import LAST_WRITE_S
from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, note_outage
from oddsengine.streams.errors import Fenced
from oddsengine.streams.leases.state import LeaseState, Local

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oddsengine.engine.ownership.shard_writer import ShardWriter
    from oddsengine.engine.pipeline import Pipeline
    from oddsengine.streams.leases.state import Operation
    from oddsengine.streams.leases.table import LeaseTable

LEASE_S: Final = 2.0
#: How long an engine that stops waits for others to take its shards.
HAND_OVER_S: Final = 5.0
_RETRY_S: Final = 0.1
#: Markets priced at a time while a take-over is prepared: a few milliseconds.
_PREPARED_AT_ONCE: Final = 100
#: After a rival that has no lease has opened an epoch, its shard is left alone for this many leases.
_BLOCKED_LEASES: Final = 5
_RETIRE_EVERY_S: Final = 30.0
#: A process that wakes so much later than it wanted to stood still, and reads for so long before it publishes.
_STALL_S: Final = 1.0
_CATCH_UP_S: Final = 0.5
_USER: Final = "leases"
#: Why an engine publishes nothing.
LAPSED: Final = "its lease has ended, Redis does not answer"
_log = structlog.get_logger(__name__)


class ShardLease:
    """Whether this engine may write to its shards, by its monotonic clock."""

    def __init__(self, state: LeaseState, clock: Callable[[], float]) -> None:
        self._state = state
        self._clock = clock
        self._renewed = asyncio.Event()
        self._not_before_s = float("-inf")

    def is_held(self) -> bool:
        """Check whether it may write."""
        now_s = self._clock()
        return now_s >= self._not_before_s and self._state.is_held(now_s)

    def hold_back(self) -> None:
        """Write nothing for a moment: the process stood still, and has to read first what its sources have said meanwhile."""
        self._not_before_s = self._clock() + _CATCH_UP_S

    async def until_held(self) -> None:
        """Wait until it may write."""
        while not self.is_held():
            self._renewed.clear()
            await self._renewed.wait()

    def renewed(self) -> None:
        """Wake those that wait."""
        self._renewed.set()


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
        clock: monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        table: LeaseTable,
        pipeline: Pipeline,
        *,
        lease_s: float,
        closed_event_ttl_s: float,
        now_ms: Callable[[], int],
        catch_up: Callable[[], Awaitable[None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._table = table
        self._pipeline = pipeline
        self._lease_s = lease_s
        self._closed_event_ttl_ms = round(closed_event_ttl_s * 1000)
        self._now_ms = now_ms
        self._catch_up = catch_up
        self._clock = clock
        self._state = LeaseState(name, [str(shard) for shard in range(len(pipeline.offers))], lease_s)
        self._writers: list[ShardWriter] = []
        #: shard -> what takes it over and then writes it
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self._prepared: set[str] = set()
        self._finished: set[str] = set()
        #: shard -> until when it is left alone
        self._blocked_s: dict[str, float] = {}
        self._operations: list[Operation] = []
        #: shards that were lost to another epoch, until it is known whose
        self._fenced: set[str] = set()
        self._is_leaving = False
        self._is_stopping = False
        self._has_left = False
        self._was_held = False
        self._next_retire_s = 0.0
        self._changed = asyncio.Event()
        self._stepped = asyncio.Event()
        self.lease = ShardLease(self._state, clock)
        #: the writers of the shards that are owned, or being taken over
        self.active: list[ShardWriter] = []
        self.handed_over = self.lost = 0

    def use(self, writers: list[ShardWriter]) -> None:
        """Set the writers, one for each shard."""
        self._writers = writers

    @property
    def owned(self) -> list[int]:
        """The shards that this engine publishes."""
        return [shard for shard, writer in enumerate(self._writers) if writer.is_owner]

    @property
    def engines(self) -> int:
        """How many engines are alive, this one included."""
        return len(self._state.others(self._clock())) + 1

    async def join(self) -> None:
        """Take over the shards that nobody owns. Waits until Redis answers, but for no other engine.

        Raises:
            Fenced: if another engine without a lease has taken one of them over meanwhile.
        """
        try:
            while True:
                answered = await self._step()
                if answered and not self._operations and all(self._is_owner(shard) for shard in self._tasks):
                    return
                await self._pause()
        except BaseException:
            await self.end()
            raise

    async def run(self) -> None:
        """Keep the shards until cancelled, or until all were given up after `stop`."""
        while not self._has_left:
            await self._step()
            await self._pause()

    async def hand_over(self, timeout_s: float = HAND_OVER_S) -> None:
        """Hand all shards to other engines, while `run` goes on. Nothing is suspended for it.

        Args:
            timeout_s: how long to wait for them.
        """
        self._is_leaving = True
        self._changed.set()
        try:
            async with asyncio.timeout(timeout_s):
                while self._tasks and self.lease.is_held() and self._state.others(self._clock()):
                    self._stepped.clear()
                    await self._stepped.wait()
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
        if not self._has_left:
            self._has_left = True
            self._changed.set()
            await self._leave()

    async def end(self) -> None:
        """End everything at once."""
        tasks = [*self._tasks.values(), *self._preparing.values()]
        await end_tasks(tasks)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _leave(self) -> None:
        """Give up the lease, so that others need not wait for its end."""
        if not self._state.until_s > float("-inf"):
            return
        try:
            async with asyncio.timeout(self._lease_s):
                await self._table.write(self._name, b"", self._state.releases())
        except (*UNAVAILABLE, TimeoutError) as error:
            _log.warning("lease not released, it will end by itself", error=str(error) or type(error).__name__)

    async def _pause(self) -> None:
        """Wait until the table is to be read again, or something of ours has changed."""
        if self._operations:
            return
        now_s = self._clock()
        at_s = max(now_s, self._state.next_beat_s(now_s))
        try:
            async with asyncio.timeout(at_s - now_s):
                await self._changed.wait()
        except TimeoutError:
            pass
        self._changed.clear()
        if (late_s := self._clock() - at_s) > _STALL_S:
            _log.warning("process stood still", seconds=round(late_s, 1))
            self.lease.hold_back()

    async def _step(self) -> bool:
        """Write our value, carry out what was decided, and decide what is next. Return whether Redis has answered."""
        self._stepped.set()
        self._reap()
        if self._has_left:
            return False
        operations, self._operations = self._operations, []
        sent_s = self._clock()
        value = self._state.value(sent_s, self._rank(), is_leaving=self._is_leaving)
        try:
            table = await self._table.write(self._name, value, operations)
        except UNAVAILABLE as error:
            note_outage(_USER, error)
            self._note_lease()
            await asyncio.sleep(_RETRY_S)
            return False
        REDIS_OUTAGE.worked(_USER)
        if self._has_left:
            return False
        now_s = self._clock()
        self._state.observe(sent_s, now_s, value, table)
        self._reap()
        await self._decide(now_s)
        self._note_lease()
        if now_s >= self._next_retire_s:
            self._next_retire_s = now_s + _RETIRE_EVERY_S
            unowned = {shard for shard in range(len(self._writers)) if str(shard) not in self._tasks}
            if unowned:
                self._pipeline.retire_unowned(unowned, self._now_ms(), self._closed_event_ttl_ms)
        return True

    def _rank(self) -> int:
        """Return how many sources are live here: an engine that lacks one is given no shard of an engine that has it."""
        return sum(book.health == "live" for book in self._pipeline.books.values()) if self._was_held else 0

    async def _decide(self, now_s: float) -> None:
        self._note_rivals(now_s)
        local = Local(self._tasks.keys(), self._prepared, self._finished, self._blocked_s.keys())
        decision = self._state.decide(now_s, local)
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
        self._operations = decision.operations

    def _note_rivals(self, now_s: float) -> None:
        """Leave a shard alone for a while if somebody without a lease has opened an epoch on it."""
        self._blocked_s = {shard: until_s for shard, until_s in self._blocked_s.items() if until_s > now_s}
        for shard in self._fenced:
            if self._state.owner_of(shard) == self._name:
                self._blocked_s[shard] = now_s + _BLOCKED_LEASES * self._lease_s
        self._fenced.clear()
        self._finished = {shard for shard in self._finished if self._state.owner_of(shard) == self._name}

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
            self._changed.set()
            await writer.run()
        finally:
            self._changed.set()

    async def _prepare(self, shard: str) -> None:
        await self._price(int(shard))
        self._prepared.add(shard)
        self._changed.set()

    async def _price(self, shard: int) -> None:
        while True:
            if self._pipeline.prepare(shard, self._now_ms(), _PREPARED_AT_ONCE):
                return
            await asyncio.sleep(0)

    def _reap(self) -> None:
        """Take note of the writers that have ended.

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

    def _note_lease(self) -> None:
        is_held = self.lease.is_held()
        if is_held:
            self.lease.renewed()
        if is_held != self._was_held:
            if self._was_held:
                _log.warning("lease lapsed, nothing is published", lease_s=self._lease_s, shards=len(self._tasks))
            elif self._state.until_s > float("-inf"):
                _log.info("lease held", engine=self._name, lease_s=self._lease_s)
            self._was_held = is_held
