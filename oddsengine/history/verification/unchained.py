"""Checks what no chain covers: how many shards there are, and which days are said not to be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from oddsengine.history.rows.command_rows import NUMBER, STREAM
from oddsengine.history.rows.note_rows import NOTES
from oddsengine.history.schema.partitions import DAY_MS, partition_of
from oddsengine.history.verification.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oddsengine.history.rows.tables import ShardPosition

#: Tables that have an index by shard.
_TABLES: Final = ("entries", "records", "gaps", "dropped")
_ADDED: Final = "added: the installation has no such shard"
_AT: Final = "SELECT at_ms FROM entries WHERE (shard, epoch, seq) = ($1, $2, $3)"
_DAYS_SLACK: Final = 2
_GAP_TIMES: Final = """
    SELECT g.until_epoch, g.until_seq, e.at_ms FROM gaps g
    JOIN entries e ON (e.shard, e.epoch, e.seq) = (g.shard, g.until_epoch, g.until_seq)
    WHERE g.shard = $1 AND e.at_ms <> g.until_ms ORDER BY g.number LIMIT 1
"""


async def find_foreign(connection: Any, shards: int, signed: Iterable[str]) -> list[Problem]:
    """Return what there is of shards that the installation does not have: nobody would verify it, and questions would find it.

    Args:
        connection: to the database.
        shards: how many shards the installation has.
        signed: the streams that checkpoints name.
    """
    streams = {*map(str, range(shards)), STREAM, str(NOTES)}
    found = {row["stream"] for row in await connection.fetch("SELECT stream FROM positions")} | {*signed}
    problems = [Problem("installation", f"stream {stream}", 0, _ADDED) for stream in sorted(found - streams)]
    for table in _TABLES:
        query = f"SELECT shard FROM {table} WHERE (shard >= $1 OR shard < 0) AND shard <> ALL($2) LIMIT 1"
        shard = await connection.fetchval(query, shards, [NUMBER, NOTES])
        if shard is not None:
            problems.append(Problem("installation", f"shard {shard} in {table}", 0, _ADDED))
    return problems[:1]


async def find_foreign_change(connection: Any, shards: int) -> list[Problem]:
    """Return the first change of a shard that the installation does not have. This reads all changes."""
    query = "SELECT epoch, seq, ordinal, shard, at_ms FROM changes WHERE shard < 0 OR shard >= $1 LIMIT 1"
    row = await connection.fetchrow(query, shards)
    if row is None:
        return []
    where = f"change {row['ordinal']} of entry {row['epoch']}-{row['seq']}"
    return [Problem(f"shard {row['shard']}", where, row["at_ms"], _ADDED)]


async def find_moved(connection: Any, shard: int, position: ShardPosition) -> list[Problem]:
    """Return the first gap of a shard whose end has another time than its entry, or the end of the shard if that has."""
    row = await connection.fetchrow(_GAP_TIMES, shard)
    if row is not None:
        where = f"gap before {row['until_epoch']}-{row['until_seq']}"
        return [Problem(f"records of shard {shard}", where, row["at_ms"], "changed: the entry after it has another time")]
    at_ms = await connection.fetchval(_AT, shard, position.epoch, position.seq)
    if at_ms is None or at_ms == position.at_ms:
        return []
    where = f"entry {position.epoch}-{position.seq}"
    return [Problem(f"shard {shard}", where, at_ms, "the row of `positions` that names it has another time")]


async def find_kept(connection: Any, shard: int, dropped: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """Return the first day of a shard that is said not to be kept, and is, or lies elsewhere than its entries say.

    Clocks may have been set back over a midnight.
    """
    for row in dropped:
        day = row["day"]
        limits = (day * DAY_MS, (day + 1) * DAY_MS)
        for table in ("entries", "records"):
            query = f"SELECT EXISTS (SELECT FROM {table} WHERE shard = $1 AND at_ms >= $2 AND at_ms < $3)"
            if await connection.fetchval(query, shard, *limits):
                return [_problem(shard, day, f"added: there are {table} of this day")]
        last, before = (row["epoch"], row["seq"]), (row["before_epoch"], row["before_seq"])
        # Of a shard that had only records on that day there is no entry.
        has_entries = last != (0, 0) or row["number"] is None
        if has_entries and last <= before:
            return [_problem(shard, day, "added, or changed: it ends before it begins")]
        next_one = before[0], before[1] + 1
        for epoch, seq in (last, next_one):
            if await connection.fetchval(_AT, shard, epoch, seq) is not None:
                return [_problem(shard, day, f"added, or changed: its entry {epoch}-{seq} is there")]
        before_ms = await connection.fetchval(_AT, shard, *before)
        if before_ms is not None and before_ms >= (day + _DAYS_SLACK) * DAY_MS:
            return [_problem(shard, day, f"added, or changed: {before[0]}-{before[1]} before it is of later")]
    return []


def _problem(shard: int, day: int, what: str) -> Problem:
    return Problem(f"shard {shard}", f"day {partition_of('', day)[1:]}, not kept", day * DAY_MS, what)
