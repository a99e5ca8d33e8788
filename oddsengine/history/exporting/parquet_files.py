"""The files of an export: one for each day and sport, written a group of rows at a time."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from oddsengine.history.exporting.price_rows import UNKNOWN, PriceRow
from oddsengine.history.schema.partitions import DAY_MS

if TYPE_CHECKING:
    from pathlib import Path

#: Rows of a group, and rows of all files that are kept before the largest group is written.
_GROUP: Final = 100_000
_KEPT: Final = 200_000
_NAME_LENGTH: Final = 100
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
        #: sport -> the name of its file. Sports that are only spelt otherwise have one file.
        self._names: dict[str, str] = {}
        self._rows: dict[str, list[PriceRow]] = {}
        self._writers: dict[str, Any] = {}
        self._kept = 0

    def add(self, row: PriceRow) -> None:
        """Add a row. Raises OSError if it can't be written."""
        name = self._names.get(row.sport)
        if name is None:
            name = self._names[row.sport] = re.sub(r"[^a-z0-9_-]", "_", row.sport.lower())[:_NAME_LENGTH] or UNKNOWN
            self._rows.setdefault(name, [])
        rows = self._rows[name]
        rows.append(row)
        self._kept += 1
        if len(rows) >= _GROUP:
            self._write(name)
        elif self._kept >= _KEPT:
            self._write(max(self._rows, key=lambda name: len(self._rows[name])))

    def close(self) -> list[Path]:
        """Write what is left, and return the files. Raises OSError if that fails: then files are what they were before."""
        for name in [name for name, rows in self._rows.items() if rows]:
            self._write(name)
        # First everything has to be on the disk, which may have no room for it.
        for name, writer in self._writers.items():
            writer.close()
            _sync(self._unfinished(name))
        files = []
        for name in [*self._writers]:
            self._unfinished(name).replace(self._file(name))
            files.append(self._file(name))
            del self._writers[name]
        return sorted(files)

    def discard(self) -> None:
        """Remove what was written. No-op once closed."""
        for writer in self._writers.values():
            with suppress(OSError):
                # It writes the end of the file, for which there may be no room.
                writer.close()
        self._writers = {}
        for name in self._rows:
            self._unfinished(name).unlink(missing_ok=True)

    def _write(self, name: str) -> None:
        rows, self._rows[name] = self._rows[name], []
        self._kept -= len(rows)
        columns = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), SCHEMA, strict=True)]
        writer = self._writers.get(name)
        if writer is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            writer = self._writers[name] = pq.ParquetWriter(self._unfinished(name), SCHEMA, compression="zstd")
        writer.write_table(pa.Table.from_arrays(columns, schema=SCHEMA))

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.parquet"

    def _unfinished(self, name: str) -> Path:
        file = self._file(name)
        return file.with_name(f".{file.name}.unfinished")


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
