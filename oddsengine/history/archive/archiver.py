"""The archiver of one process: by lease, one process of an installation archives, and the others wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.common.tasks import end_tasks
from oddsengine.history.archive.archive import Archive, Counters
from oddsengine.history.errors import Displaced, HistoryError
from oddsengine.streams.clients.shared_reader import SharedReader
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.leases.keeper import LeaseKeeper
from oddsengine.streams.leases.state import Local
from oddsengine.streams.leases.table import LeaseTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from redis.asyncio import Redis

    from oddsengine.history.archive.upkeep import Upkeep
    from oddsengine.history.database import Database

#: The only item of the group.
_ITEM: Final = "archiver"
_AGAIN_S: Final = 1.0
_log = structlog.get_logger(__name__)


class Archiver:
    """The archiver of one process.

    Args:
        name: the process's name, unique in its installation.
        redis: a client that returns bytes.
        database: where the history is.
        namespace: the namespace of the keys.
        shards: how many shards there are.
        upkeep: what is due from time to time.
        lease_s: how long the lease lasts.
        clock: monotonic seconds.
        wall_ms: Unix milliseconds by the system's clock.
    """

    def __init__(  # noqa: PLR0913 - it is wired once
        self,
        name: str,
        redis: Redis,
        database: Database,
        namespace: str,
        shards: int,
        upkeep: Upkeep,
        *,
        lease_s: float,
        clock: Callable[[], float],
        wall_ms: Callable[[], int],
    ) -> None:
        self._redis = redis
        self._database = database
        self._namespace = namespace
        self._shards = shards
        self._upkeep = upkeep
        self._clock = clock
        self._wall_ms = wall_ms
        self._keeper = LeaseKeeper(name, LeaseTable(redis, namespace, "archiver"), "archiver", [_ITEM], lease_s, rebalance=False)
        self._working: asyncio.Task[None] | None = None
        self._has_ended = False
        self.counters = Counters()

    @property
    def is_active(self) -> bool:
        """Whether this process archives."""
        return self._working is not None

    async def run(self) -> None:
        """Archive while this process is the one that does, until cancelled or stopped.

        Raises:
            HistoryError: if the database is not for this.
        """
        try:
            while not self._has_ended:
                await self._step()
                await self._keeper.pause()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Release the archiving for another process. May be called again."""
        self._has_ended = True
        try:
            await self._end_work()
        finally:
            await self._keeper.leave()

    async def _step(self) -> None:
        if self._working is not None and self._working.done():
            working, self._working = self._working, None
            error = working.exception()
            if isinstance(error, HistoryError) and not isinstance(error, Displaced):
                raise error
            _log.error("archiving failed, beginning again", exc_info=None if isinstance(error, Displaced) else error)
            await asyncio.sleep(_AGAIN_S)
        if not await self._keeper.step(0, is_leaving=False) or self._has_ended:
            return
        held = frozenset({_ITEM} if self._working is not None else ())
        decision = self._keeper.decide(Local(held))
        if decision.drop or decision.finish:
            _log.warning("another process archives", owner=self._keeper.state.owner_of(_ITEM))
            await self._end_work()
        if decision.take and not self._has_ended:
            self._working = asyncio.create_task(self._work(), name="archive")
        self._keeper.note()

    async def _end_work(self) -> None:
        working, self._working = self._working, None
        if working is not None:
            await end_tasks([working])

    async def _work(self) -> None:
        """Archive until cancelled."""
        _log.info("archiving", shards=self._shards, database=self._database.label)
        streams = [shard_keys(self._namespace, shard).changes for shard in range(self._shards)]
        reader = SharedReader(self._redis, streams, self._clock)
        archive = Archive(self._database, reader, self._namespace, self._shards, self.counters, self._upkeep, self._wall_ms)
        tasks = [asyncio.create_task(reader.run(), name="archive reader"), asyncio.create_task(archive.run(), name="archive")]
        try:
            await asyncio.gather(*tasks)
        finally:
            await end_tasks(tasks)

    def samples(self) -> Iterable[tuple[str, tuple[str, ...], float]]:
        """Yield the archiver's metrics (see `oddsengine.runtime.telemetry.metrics`)."""
        counters = self.counters
        yield "oddsengine_archiver_active", (), self.is_active
        yield "oddsengine_archived_entries_total", (), counters.entries
        yield "oddsengine_archived_changes_total", (), counters.changes
        yield "oddsengine_archive_gaps_total", (), counters.gaps
        if self.is_active:
            yield "oddsengine_archive_behind_seconds", (), counters.behind_s
