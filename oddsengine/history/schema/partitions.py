"""The partitions of the large tables, one a day (UTC): made ahead, and dropped once they are older than what is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asyncpg import Connection

DAY_MS: Final = 86_400_000
#: The tables that have partitions.
TABLES: Final = ("entries", "changes", "records")
#: For how many days after the present one partitions are made.
DAYS_AHEAD: Final = 2
_LOCK_TIMEOUT: Final = "5s"


def day_of(at_ms: int) -> int:
    """Return the number of a time's day."""
    return at_ms // DAY_MS


def partition_of(table: str, day: int) -> str:
    """Return the name of the partition of a day."""
    return f"{table}_{datetime.fromtimestamp(day * DAY_MS / 1000, UTC):%Y%m%d}"


async def find_days(connection: Connection[Any]) -> set[int]:
    """Return the days that have partitions."""
    rows = await connection.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'entries'::regclass"
    )
    dates = [datetime.strptime(row["relname"].rpartition("_")[2], "%Y%m%d").replace(tzinfo=UTC) for row in rows]
    return {day_of(round(date.timestamp() * 1000)) for date in dates}


async def make_days(connection: Connection[Any], days: Iterable[int]) -> None:
    """Make the partitions of days. No-op for those that there are.

    A partition is made first and attached then, which keeps nobody from reading or writing the others.
    """
    wanted = set(days) - await find_days(connection)
    for day in sorted(wanted):
        async with connection.transaction():
            for table in TABLES:
                name = partition_of(table, day)
                await connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
                bounds = f"FROM ({day * DAY_MS}) TO ({(day + 1) * DAY_MS})"
                await connection.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES {bounds}")


async def drop_day(connection: Connection[Any], day: int) -> None:
    """Drop the partitions of a day, in the transaction that the connection is in: in a moment, or not at all.

    Raises:
        LockNotAvailableError: if somebody reads them for long.
    """
    await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
    for table in TABLES:
        await connection.execute(f"DROP TABLE IF EXISTS {partition_of(table, day)}")
