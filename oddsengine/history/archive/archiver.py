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
from oddsengine.streams.leases.sole_worker import SoleWorker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from redis.asyncio import Redis

    from oddsengine.history.archive.upkeep import Upkeep
    from oddsengine.history.database import Database

_AGAIN_S: Final = 1.0
#: Streams are read this often. Nobody waits for what is archived, and whoever publishes is kept waiting by each read.
_READ_EVERY_S: Final = 0.25
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
        self._worker = SoleWorker(name, redis, namespace, "archiver", lease_s, self._work, ends_with=(HistoryError,))
        self.counters = Counters()

    @property
    def is_active(self) -> bool:
        """Whether this process archives."""
        return self._worker.is_working

    async def run(self) -> None:
        """Archive while this process is the one that does, until cancelled or stopped.

        Raises:
            HistoryError: if the database is not for this.
        """
        await self._worker.run()

    async def stop(self) -> None:
        """Release the archiving for another process. May be called again."""
        await self._worker.stop()

    async def _work(self) -> None:
        """Archive until cancelled, from where the database is, whoever else has written to it."""
        while True:
            await self._worker.lease.until_held()
            try:
                await self._archive()
            except Displaced as error:
                _log.warning("another process has archived, beginning again", error=str(error))
                await asyncio.sleep(_AGAIN_S)

    async def _archive(self) -> None:
        _log.info("archiving", shards=self._shards, database=self._database.label)
        streams = [shard_keys(self._namespace, shard).changes for shard in range(self._shards)]
        reader = SharedReader(self._redis, streams, self._clock, every_s=_READ_EVERY_S)
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
            yield "oddsengine_archive_behind_seconds", (), counters.behind(self._wall_ms())
