"""Writes rows and the positions that they lead to, in one transaction."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from oddsengine.history.errors import Displaced
from oddsengine.history.rows.command_rows import STREAM, CommandRow
from oddsengine.history.rows.tables import NOTHING, ChangeRow, EntryRow, GapRow, RecordRow, ShardPosition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.history.rows.command_rows import CommandBatch
    from oddsengine.history.rows.shard_rows import ShardBatch

_COLUMNS: Final = ", ".join(ShardPosition._fields)
_INSERT: Final = f"INSERT INTO positions (stream, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING"
_UPDATE: Final = (
    "UPDATE positions SET (epoch, seq, digest, at_ms, number, record_digest) = ($2, $3, $4, $5, $6, $7) "
    "WHERE stream = $1 AND epoch = $8 AND seq = $9 AND number = $10"
)
_GAP: Final = (
    f"INSERT INTO gaps ({', '.join(GapRow._fields)}) VALUES ({', '.join(f'${n}' for n in range(1, len(GapRow._fields) + 1))}) "
    "ON CONFLICT (shard, until_epoch, until_seq) DO UPDATE SET known_ms = excluded.known_ms"
)


async def read_position(connection: Any, stream: str) -> ShardPosition:
    """Return how far the history of a stream reaches."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM positions WHERE stream = $1", stream)
    return NOTHING if row is None else ShardPosition(*row)


async def write_batches(connection: Any, batches: Sequence[ShardBatch], commands: CommandBatch | None = None) -> None:
    """Write rows of several shards, and of commands, with their positions. All of it is written, or nothing.

    Raises:
        Displaced: if somebody else has written rows of one of them.
    """
    async with connection.transaction():
        await _copy(connection, "entries", EntryRow._fields, [row for batch in batches for row in batch.entries])
        await _copy(connection, "changes", ChangeRow._fields, [row for batch in batches for row in batch.changes])
        await _copy(connection, "records", RecordRow._fields, [row for batch in batches for row in batch.records])
        gaps = [*chain.from_iterable(batch.gaps for batch in batches), *(commands.gaps if commands is not None else ())]
        if gaps:
            await connection.executemany(_GAP, gaps)
        for batch in batches:
            await move_position(connection, str(batch.shard), batch.before, batch.after)
        if commands is not None:
            await _copy(connection, "commands", CommandRow._fields, commands.rows)
            await move_position(connection, STREAM, commands.before, commands.after)


async def move_position(connection: Any, stream: str, before: ShardPosition, after: ShardPosition) -> None:
    """Move the position of a stream, in the transaction that writes its rows.

    Raises:
        Displaced: if it is not the one before.
    """
    if before == NOTHING:
        status = await connection.execute(_INSERT, stream, *after)
    else:
        status = await connection.execute(_UPDATE, stream, *after, before.epoch, before.seq, before.number)
    if not status.endswith(" 1"):
        raise Displaced(stream)


async def _copy(connection: Any, table: str, columns: Sequence[str], rows: list[Any]) -> None:
    if rows:
        await connection.copy_records_to_table(table, records=rows, columns=columns)
