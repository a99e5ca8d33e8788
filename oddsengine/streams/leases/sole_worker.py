"""Work that one process of an installation does, by lease, while the others wait to take it over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog

from oddsengine.common.tasks import end_tasks
from oddsengine.streams.leases.keeper import LeaseKeeper
from oddsengine.streams.leases.state import Local
from oddsengine.streams.leases.table import LeaseTable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from redis.asyncio import Redis

#: The only item of a group.
_ITEM: Final = "worker"
_AGAIN_S: Final = 1.0
_log = structlog.get_logger(__name__)


class SoleWorker:
    """Work that is done while this process owns it.

    Args:
        name: the process's name, unique in its installation.
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        group: what the work is called in keys and logs.
        lease_s: how long the lease lasts.
        work: does it until it is cancelled. Where it fails, it is logged and begun again.
        ends_with: errors of the work after which it is not begun again: `run` raises them.
    """

    def __init__(
        self,
        name: str,
        redis: Redis,
        namespace: str,
        group: str,
        lease_s: float,
        work: Callable[[], Coroutine[Any, Any, None]],
        *,
        ends_with: tuple[type[Exception], ...] = (),
    ) -> None:
        self._keeper = LeaseKeeper(name, LeaseTable(redis, namespace, group), group, [_ITEM], lease_s, rebalance=False)
        self._group = group
        self._work = work
        self._ends_with = ends_with
        self._working: asyncio.Task[None] | None = None
        self._has_ended = False
        #: whether the work was begun for what has changed since
        self._is_outdated = False
        self.lease = self._keeper.lease

    @property
    def is_working(self) -> bool:
        """Whether this process does the work now."""
        return self._working is not None and self.lease.is_held()

    def restart(self) -> None:
        """End the work and begin it again, if this process does it."""
        self._is_outdated = True
        self._keeper.changed.set()

    async def run(self) -> None:
        """Run the work whenever it is ours, until cancelled or stopped. Raises what ends it (`ends_with`)."""
        try:
            while not self._has_ended:
                await self._step()
                await self._keeper.pause()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Release the work for another process. May be called again."""
        self._has_ended = True
        try:
            await self._end_work()
        finally:
            await self._keeper.leave()

    async def _step(self) -> None:
        if self._working is not None and self._working.done():
            working, self._working = self._working, None
            error = working.exception()
            if isinstance(error, self._ends_with):
                raise error
            _log.error("work failed, trying again", of=self._group, exc_info=error)
            await asyncio.sleep(_AGAIN_S)
        if not await self._keeper.step(0, is_leaving=False) or self._has_ended:
            return
        if self._is_outdated:
            self._is_outdated = False
            await self._end_work()
        held = frozenset({_ITEM} if self._working is not None else ())
        decision = self._keeper.decide(Local(held))
        if decision.drop or decision.finish:
            _log.warning("work taken over by another process", of=self._group, owner=self._keeper.state.owner_of(_ITEM))
            await self._end_work()
        if decision.take and not self._has_ended:
            self._working = asyncio.create_task(self._work(), name=self._group)
        self._keeper.note()

    async def _end_work(self) -> None:
        working, self._working = self._working, None
        if working is not None:
            await end_tasks([working])
