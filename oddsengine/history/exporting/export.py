"""Reads the history day by day and writes it as files, in memory that does not grow with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from oddsengine.history.exporting.parquet_files import ParquetFiles
from oddsengine.history.exporting.price_rows import CHANGE, PriceRows, StoredRow
from oddsengine.history.rows.tables import RecordKind
from oddsengine.history.schema.partitions import DAY_MS, day_of, find_days

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from oddsengine.history.database import Database

#: So much time is sorted at once.
_WINDOW_MS: Final = 3_600_000
_CHUNK: Final = 5000
_DESCRIBING: Final = (RecordKind.EVENT, RecordKind.EVENT_LEFT, RecordKind.PROFILES)
#: At one position come profiles and events, changes, whole states that no change has said, and what has left.
_PLACE: Final = f"""CASE kind WHEN {RecordKind.PROFILES} THEN 0 WHEN {RecordKind.EVENT} THEN 1 WHEN {CHANGE} THEN 2
    WHEN {RecordKind.EVENT_LEFT} THEN 4 ELSE 3 END"""
_ROWS: Final = f"""
    SELECT at_ms, shard, epoch, seq, kind, body FROM (
        SELECT at_ms, shard, epoch, seq, {CHANGE} AS kind, change AS body, 0::bigint AS number, ordinal FROM changes
        WHERE at_ms >= $1 AND at_ms < $2
        UNION ALL
        SELECT at_ms, shard, epoch, seq, kind, body, number, 0 FROM records r
        WHERE at_ms >= $1 AND at_ms < $2 AND (kind = ANY($3) OR kind = {RecordKind.MARKET} AND NOT EXISTS (
            SELECT FROM changes c WHERE c.key = r.key AND (c.at_ms, c.epoch, c.seq, c.shard) = (r.at_ms, r.epoch, r.seq, r.shard)
        ))
    ) found ORDER BY at_ms, shard, epoch, seq, {_PLACE}, number, ordinal
"""
_DESCRIPTIONS: Final = """
    SELECT at_ms, shard, epoch, seq, kind, body FROM records WHERE at_ms >= $1 AND at_ms < $2 AND kind = ANY($3)
    ORDER BY at_ms, shard, number
"""


class Exported(NamedTuple):
    """The result of an export: how many rows, into which files, and how many rows of the database can't be read."""

    rows: int
    files: list[Path]
    unreadable: int


class Exporter:
    """Exports the prices of a time.

    Args:
        database: where the history is.
        folder: where files are written.
        period: the first time, and that to end before, Unix milliseconds.
        sport: the only sport; None for all.
        progress: called with how many changes were exported more.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        period: tuple[int, int],
        sport: str | None = None,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._folder = folder
        self._period = period
        self._sport = sport
        self._progress = progress
        self._rows = PriceRows()

    async def count(self) -> int:
        """Return how many changes there are to export, of all sports."""
        query = "SELECT coalesce(sum(changes), 0) FROM entries WHERE at_ms >= $1 AND at_ms < $2"
        return int((await self._database.fetch(query, *self._period))[0][0])

    async def run(self) -> Exported:
        """Export everything.

        Raises:
            OSError: if a file can't be written.
        """
        connection = await self._database.connect()
        count = 0
        files: list[Path] = []
        first_ms, last_ms = self._period
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                days = [day for day in sorted(await find_days(connection)) if day_of(first_ms) <= day <= day_of(last_ms - 1)]
                for day in days:
                    limits = max(first_ms, day * DAY_MS), min(last_ms, (day + 1) * DAY_MS)
                    await self._describe(connection, day * DAY_MS, limits[0])
                    written = ParquetFiles(self._folder, day)
                    try:
                        count += await self._export(connection, written, *limits)
                        files += written.close()
                    finally:
                        written.discard()
        finally:
            await connection.close()
        return Exported(count, files, self._rows.unreadable)

    async def _describe(self, connection: Any, since_ms: int, until_ms: int) -> None:
        """Read what events and profiles there were before a time on its day."""
        async for row in _read(connection, _DESCRIPTIONS, since_ms, until_ms, _DESCRIBING):
            for _ in self._rows.add(row):
                pass

    async def _export(self, connection: Any, written: ParquetFiles, since_ms: int, until_ms: int) -> int:
        count, changes = 0, 0
        for window_ms in range(since_ms, until_ms, _WINDOW_MS):
            limits = window_ms, min(window_ms + _WINDOW_MS, until_ms)
            async for row in _read(connection, _ROWS, *limits, (*_DESCRIBING, RecordKind.MARKET_LEFT)):
                for price in self._rows.add(row):
                    if self._sport in {None, price.sport}:
                        written.add(price)
                        count += 1
                changes += row.kind == CHANGE
                if changes == _CHUNK:
                    self._progress(changes)
                    changes = 0
        self._progress(changes)
        return count


async def _read(connection: Any, query: str, *args: Any) -> AsyncIterator[StoredRow]:
    cursor = await connection.cursor(query, *args)
    while rows := await cursor.fetch(_CHUNK):
        for row in rows:
            yield StoredRow(*row)
