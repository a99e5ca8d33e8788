"""The files of an export: one for each day and sport, written a group of rows at a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from oddsengine.history.exporting.price_rows import PriceRow
from oddsengine.history.schema.partitions import DAY_MS

if TYPE_CHECKING:
    from pathlib import Path

#: Rows of a group, and rows of all files that are kept before the largest group is written.
_GROUP: Final = 100_000
_KEPT: Final = 200_000
_TYPES: Final = {
    "time": pa.timestamp("ms", "UTC"),
    "start": pa.timestamp("ms", "UTC"),
    "line": pa.float64(),
    "odds": pa.float64(),
    "fair": pa.float64(),
    "in_play": pa.bool_(),
    "main_line": pa.bool_(),
    "v": pa.int64(),
    "shard": pa.int16(),
    "epoch": pa.int64(),
    "seq": pa.int64(),
}
SCHEMA: Final = pa.schema([(name, _TYPES.get(name, pa.string())) for name in PriceRow._fields])


class ParquetFiles:
    """Writes the rows of one day. A file has its name once the day is closed: what is there is whole.

    Args:
        folder: the folder of the export.
        day: the number of the day.
    """

    def __init__(self, folder: Path, day: int) -> None:
        self._folder = folder / f"{datetime.fromtimestamp(day * DAY_MS / 1000, UTC):%Y-%m-%d}"
        self._rows: dict[str, list[PriceRow]] = {}
        self._writers: dict[str, Any] = {}
        self._kept = 0

    def add(self, row: PriceRow) -> None:
        """Add a row. Raises OSError if it can't be written."""
        rows = self._rows.get(row.sport)
        if rows is None:
            rows = self._rows[row.sport] = []
        rows.append(row)
        self._kept += 1
        if len(rows) >= _GROUP:
            self._write(row.sport)
        elif self._kept >= _KEPT:
            self._write(max(self._rows, key=lambda sport: len(self._rows[sport])))

    def close(self) -> list[Path]:
        """Write what is left, and return the files. Raises OSError if that fails."""
        for sport in [sport for sport, rows in self._rows.items() if rows]:
            self._write(sport)
        files = []
        for sport, writer in self._writers.items():
            writer.close()
            unfinished, file = self._unfinished(sport), self._file(sport)
            unfinished.replace(file)
            files.append(file)
        self._writers = {}
        return sorted(files)

    def discard(self) -> None:
        """Remove what was written. No-op once closed."""
        for sport, writer in self._writers.items():
            writer.close()
            self._unfinished(sport).unlink(missing_ok=True)
        self._writers = {}

    def _write(self, sport: str) -> None:
        rows, self._rows[sport] = self._rows[sport], []
        self._kept -= len(rows)
        columns = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)]
        writer = self._writers.get(sport)
        if writer is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            writer = self._writers[sport] = pq.ParquetWriter(self._unfinished(sport), SCHEMA, compression="zstd")
        writer.write_table(pa.Table.from_arrays(columns, schema=SCHEMA))

    def _file(self, sport: str) -> Path:
        return self._folder / f"{re.sub(r'[^a-z0-9_-]', '_', sport.lower())}.parquet"

    def _unfinished(self, sport: str) -> Path:
        file = self._file(sport)
        return file.with_name(f".{file.name}.unfinished")
