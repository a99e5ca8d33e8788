"""The recurring work of an archiver: makes the partitions of days, drops those that are too old, and signs checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import asyncpg
import structlog

from oddsengine.common.reporting.outages import Outage
from oddsengine.history.rows.tables import RecordKind, ShardPosition, key_of
from oddsengine.history.schema.partitions import DAY_MS, DAYS_AHEAD, day_of, drop_day, find_days, make_days, partition_of
from oddsengine.history.verification.checkpoints import CheckpointRow, digest_of_row, sign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_CHECK_EVERY_MS: Final = 600_000
_COLUMNS: Final = ", ".join(CheckpointRow._fields)
_INSERT: Final = f"INSERT INTO checkpoints ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5)"
_BEFORE: Final = """
    SELECT epoch, seq FROM (
        (SELECT epoch, seq FROM entries WHERE shard = $1 AND (epoch, seq) < ($2, $3) ORDER BY epoch DESC, seq DESC LIMIT 1)
        UNION ALL
        SELECT epoch, seq FROM dropped WHERE shard = $1 AND (epoch, seq) < ($2, $3)
    ) found ORDER BY epoch DESC, seq DESC LIMIT 1
"""
_DROPPED: Final = """
    INSERT INTO dropped
        (shard, day, before_epoch, before_seq, before_number, epoch, seq, digest, number, record_digest)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
_LAST_CHECKPOINT: Final = "SELECT at_ms FROM checkpoints ORDER BY number DESC LIMIT 1"
_NEWEST: Final = "SELECT max(at_ms) FROM positions"
_SIGNING: Final = Outage("checkpoint not signed, trying again", "checkpoint signed again")
_log = structlog.get_logger(__name__)


class Upkeep:
    """The work that is due from time to time.

    Args:
        keep_days: how many days are kept.
        key: the key that signs checkpoints; None for none.
        checkpoint_s: how often a checkpoint is due.
        wall_ms: Unix milliseconds by the system's clock.
    """

    def __init__(self, keep_days: int, key: Ed25519PrivateKey | None, checkpoint_s: float, wall_ms: Callable[[], int]) -> None:
        self._keep_days = keep_days
        self._key = key
        self._checkpoint_ms = round(checkpoint_s * 1000)
        self._wall_ms = wall_ms
        self._days: set[int] = set()
        self._last_check_ms = 0
        self._last_checkpoint_ms: int | None = None

    def forget(self) -> None:
        """Forget which partitions exist: the connection is another one."""
        self._days.clear()
        self._last_check_ms, self._last_checkpoint_ms = 0, None

    async def make_days(self, connection: Any, times_ms: Iterable[int]) -> None:
        """Make the partitions of times, and of the next days."""
        today = day_of(self._wall_ms())
        wanted = {*map(day_of, times_ms), *range(today, today + DAYS_AHEAD + 1)}
        if not wanted <= self._days:
            await make_days(connection, wanted)
            self._days |= wanted

    async def run_due(self, connection: Any) -> None:
        """Sign a checkpoint and drop old days, where these are due. What the database refuses is tried again."""
        now_ms = self._wall_ms()
        if self._key is not None:
            try:
                await self._sign(connection, self._key, now_ms)
            except asyncpg.PostgresConnectionError:
                raise
            except asyncpg.PostgresError as error:
                _SIGNING.failed("archiver", type(error).__name__, error=str(error))
        if _is_due(self._last_check_ms, _CHECK_EVERY_MS, now_ms):
            self._last_check_ms = now_ms
            try:
                newest_ms = await connection.fetchval(_NEWEST)
                # A clock that is ahead must not delete anything: days pass by what is archived, too.
                today = day_of(min(now_ms, newest_ms or 0))
                self._days -= set(await drop_old_days(connection, today - self._keep_days))
            except asyncpg.PostgresConnectionError:
                raise
            except asyncpg.PostgresError as error:
                # They are being read for long, or something in the database depends on them.
                _log.warning("days not dropped, trying again", error=str(error))

    async def _sign(self, connection: Any, key: Ed25519PrivateKey, now_ms: int) -> None:
        if self._last_checkpoint_ms is None:
            self._last_checkpoint_ms = await connection.fetchval(_LAST_CHECKPOINT) or 0
        if not _is_due(self._last_checkpoint_ms, self._checkpoint_ms, now_ms):
            return
        row = await write_checkpoint(connection, key, now_ms)
        self._last_checkpoint_ms = now_ms
        _SIGNING.worked("archiver")
        # Whoever keeps the log elsewhere can show later which checkpoints there were.
        _log.info("checkpoint", number=row.number, digest=digest_of_row(row))


def _is_due(last_ms: int, every_ms: int, now_ms: int) -> bool:
    """Check whether something is due again. A last time that is ahead is that of another clock."""
    return not last_ms <= now_ms < last_ms + every_ms


async def write_checkpoint(connection: Any, key: Ed25519PrivateKey, now_ms: int) -> CheckpointRow:
    """Sign where all chains end."""
    async with connection.transaction(isolation="repeatable_read"):
        last = await connection.fetchrow(f"SELECT {_COLUMNS} FROM checkpoints ORDER BY number DESC LIMIT 1")
        rows = await connection.fetch(f"SELECT stream, {', '.join(ShardPosition._fields)} FROM positions")
        streams = {row["stream"]: ShardPosition(*row[1:]) for row in rows}
        row = sign(key, streams, None if last is None else CheckpointRow(*last), now_ms)
        await connection.execute(_INSERT, *row)
    return row


async def drop_old_days(connection: Any, before: int) -> list[int]:
    """Drop the partitions of days before one, oldest first, except those in which a held event was on offer.

    What they ended with is noted, so that the chain can be followed over them.
    """
    found = {day for day in await find_days(connection) if day < before}
    # Of a day that was dropped once, and that a clock went back to, there is no place to note a second end.
    noted = {row["day"] for row in await connection.fetch("SELECT DISTINCT day FROM dropped WHERE day = ANY($1)", [*found])}
    days = sorted(found - noted)
    held = [key_of(row["event"]) for row in await connection.fetch("SELECT event FROM holds")] if days else []
    dropped = []
    for day in days:
        limits = (day * DAY_MS, (day + 1) * DAY_MS)
        query = "SELECT EXISTS (SELECT FROM records WHERE key = ANY($1) AND kind = $2 AND at_ms >= $3 AND at_ms < $4)"
        if held and await connection.fetchval(query, held, RecordKind.EVENT, *limits):
            continue
        async with connection.transaction():
            await _note_dropped(connection, day)
            await drop_day(connection, day)
        _log.info("day dropped", day=partition_of("", day)[1:])
        dropped.append(day)
    return dropped


async def _note_dropped(connection: Any, day: int) -> None:
    """Note of each shard where the entries and records of a day begin and end."""
    entries, records = partition_of("entries", day), partition_of("records", day)
    shards = f"SELECT DISTINCT shard FROM {entries} UNION SELECT DISTINCT shard FROM {records} ORDER BY shard"
    for shard in [row["shard"] for row in await connection.fetch(shards)]:
        # Of notes there are no entries.
        first = await connection.fetchrow(f"SELECT epoch, seq FROM {entries} WHERE shard = $1 ORDER BY epoch, seq LIMIT 1", shard)
        last = await connection.fetchrow(
            f"SELECT epoch, seq, digest FROM {entries} WHERE shard = $1 ORDER BY epoch DESC, seq DESC LIMIT 1", shard
        )
        before = await connection.fetchrow(
            _BEFORE,
            shard,
            *(first or (0, 0)),
        )
        numbers = await connection.fetchrow(f"SELECT min(number), max(number) FROM {records} WHERE shard = $1", shard)
        digest = await connection.fetchval(f"SELECT digest FROM {records} WHERE shard = $1 AND number = $2", shard, numbers[1])
        await connection.execute(
            _DROPPED,
            shard,
            day,
            *(before or (0, 0)),
            None if numbers[0] is None else numbers[0] - 1,
            *(last or (0, 0, b"")),
            numbers[1],
            digest,
        )
