"""The published offer of a time, as the history has it."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oddsengine.commands.command import Command
from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.history.errors import HistoryError
from oddsengine.history.rows.cutting import record_in
from oddsengine.history.rows.shard_rows import DAY_MS
from oddsengine.history.rows.tables import key_of
from oddsengine.repricing.views import Observation
from oddsengine.runtime.replay_commands import RecordedCommands
from oddsengine.runtime.repricing.timeline import (
    RECORD_KINDS,
    Row,
    RowKind,
    Timeline,
    Unknown,
    change_row,
    last_of_each,
    moment,
    record_row,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from oddsengine.domain.ids import MarketId
    from oddsengine.history.database import Database

#: How long a time is read at once at first, and at most, and how many rows it has then, about.
_FIRST_MS: Final = 1000
_MAX_MS: Final = 60_000
_ROWS: Final = 20_000
_MAX_GROWTH: Final = 2.0
_KEYS_AT_ONCE: Final = 1000
_decode_command: Final = msgspec.msgpack.Decoder(Command).decode
_CHANGES: Final = (
    "SELECT key, at_ms, shard, epoch, seq, ordinal, change FROM changes WHERE at_ms >= $1 AND at_ms < $2",
    "SELECT key, at_ms, shard, epoch, seq, kind, number, body FROM records WHERE at_ms >= $1 AND at_ms < $2 AND kind = ANY($3)",
)
# Each day begins with whole states, so nothing before it is needed; of what came then, only the last of each key is. By the index
# that is found in a time that depends on how many keys there are, not on how many changes.
_LAST: Final = (
    """WITH RECURSIVE keys AS (
        (SELECT key FROM changes WHERE at_ms >= $1 AND at_ms < $2 ORDER BY key LIMIT 1)
        UNION ALL
        SELECT (SELECT key FROM changes WHERE key > keys.key AND at_ms >= $1 AND at_ms < $2 ORDER BY key LIMIT 1)
        FROM keys WHERE key IS NOT NULL
    ) SELECT last.* FROM keys, LATERAL (
        SELECT key, at_ms, shard, epoch, seq, ordinal, change FROM changes
        WHERE key = keys.key AND at_ms >= $1 AND at_ms < $3 ORDER BY at_ms DESC, epoch DESC, seq DESC, ordinal DESC LIMIT 1
    ) AS last""",
    """WITH RECURSIVE keys AS (
        (SELECT key FROM records WHERE at_ms >= $1 AND at_ms < $2 ORDER BY key LIMIT 1)
        UNION ALL
        SELECT (SELECT key FROM records WHERE key > keys.key AND at_ms >= $1 AND at_ms < $2 ORDER BY key LIMIT 1)
        FROM keys WHERE key IS NOT NULL
    ) SELECT last.* FROM keys, unnest($4::smallint[]) AS kinds (kind), LATERAL (
        SELECT key, at_ms, shard, epoch, seq, kind, number, body FROM records
        WHERE key = keys.key AND kind = kinds.kind AND at_ms >= $1 AND at_ms < $3 ORDER BY at_ms DESC, number DESC LIMIT 1
    ) AS last""",
)
# A gap that another one has followed ends with that.
_GAPS: Final = """
    SELECT shard, after_ms, known_ms FROM (
        SELECT shard, after_ms, min(known_ms) OVER (
            PARTITION BY shard ORDER BY number ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
        ) AS known_ms FROM gaps WHERE shard >= 0
    ) AS each WHERE after_ms < $1 AND coalesce(known_ms, $1) > $2"""
_SILENCES: Final = """
    SELECT shard, at_ms, next_ms FROM (
        SELECT shard, at_ms, coalesce(lead(at_ms) OVER (PARTITION BY shard ORDER BY epoch, seq), $2) AS next_ms
        FROM entries WHERE at_ms >= $1 AND at_ms < $2
    ) AS each WHERE next_ms - at_ms > $3"""
_RESULTS: Final = """
    SELECT last.change FROM unnest($1::bigint[]) AS keys (key), LATERAL (
        SELECT change FROM changes WHERE key = keys.key AND at_ms >= $2
        ORDER BY at_ms DESC, epoch DESC, seq DESC, ordinal DESC LIMIT 1
    ) AS last"""
# Each entry has one, and so each change and record.
_NEXT: Final = """
    SELECT min(next.at_ms) FROM positions, LATERAL (
        SELECT at_ms FROM entries WHERE shard = CASE WHEN stream ~ '^[0-9]+$' THEN stream::smallint END AND at_ms >= $1
        ORDER BY at_ms LIMIT 1
    ) AS next"""


class NothingArchived(HistoryError):
    """The history has nothing of a time that was asked for."""

    def __init__(self) -> None:
        super().__init__("the history has nothing of this time: give another --from and --to, or compare with --against OLD.toml")


class UnreadableRow(HistoryError):
    """The history has a row that can't be read.

    Args:
        row: the row.
    """

    def __init__(self, row: Row) -> None:
        self.row = row
        where = f"{row.kind.name.lower()} at {row.epoch}-{row.seq} of shard {row.shard}"
        super().__init__(f"the history can't be read: {where}: run `oddsengine history verify`")


class ArchivedOffer:
    """The published offer from one time to another, Unix milliseconds.

    Args:
        database: the history.
        since_ms: where it begins.
        until_ms: where it ends.
        stale_ms: after how long a silence of its shard subscribers saw a market suspended.
    """

    def __init__(self, database: Database, since_ms: int, until_ms: int, stale_ms: int) -> None:
        self._database = database
        self._since_ms = since_ms
        self._until_ms = until_ms
        self._stale_ms = stale_ms

    async def end_ms(self) -> int:
        """Return up to when it is archived, at most where it ends. From now on it ends there.

        Raises:
            NothingArchived: if that is before it begins.
        """
        rows = await self._database.fetch("SELECT max(at_ms) FROM positions WHERE stream ~ '^[0-9]+$'")
        reached = rows[0][0]
        if reached is None or reached <= self._since_ms:
            raise NothingArchived
        self._until_ms = min(int(reached), self._until_ms)
        return self._until_ms

    async def commands(self) -> RecordedCommands:
        """Return what people commanded up to the end."""
        rows = await self._database.fetch("SELECT at_ms, sealed FROM commands WHERE at_ms < $1 ORDER BY seq", self._until_ms)
        return RecordedCommands.of_states((row["at_ms"], command) for row in rows if (command := _command_in(row["sealed"])))

    async def observations(self) -> AsyncIterator[Observation | Unknown]:
        """Yield what was seen, in order of time: first what there was at the beginning.

        Raises:
            NothingArchived: if there is none of the beginning, and nothing later.
            UnreadableRow: if a row can't be read.
        """
        timeline = Timeline()
        connection = await self._database.connect()
        try:
            async for rows in self._rows(connection):
                for row in rows:
                    for seen in _taken(timeline, row):
                        yield seen
        finally:
            await connection.close()
        if not timeline.is_known:
            raise NothingArchived

    async def _rows(self, connection: Any) -> AsyncIterator[Sequence[Row]]:
        day_ms = self._since_ms // DAY_MS * DAY_MS
        moments = await self._moments(connection, day_ms)
        yield last_of_each(await _read(connection, _LAST, day_ms, day_ms + DAY_MS, self._since_ms))
        places = [each.at_ms for each in moments]
        yield moments[: bisect_left(places, self._since_ms)]
        from_ms, span_ms = self._since_ms, _FIRST_MS
        while from_ms < self._until_ms:
            to_ms = min(from_ms + span_ms, self._until_ms)
            rows = [row for _, row in await _read(connection, _CHANGES, from_ms, to_ms)]
            if not rows:
                # Where there is no entry for long, as before the history begins, that is not read minute by minute.
                following_ms = (await connection.fetchval(_NEXT, to_ms)) or self._until_ms
                to_ms = min(max(to_ms, following_ms), self._until_ms)
            growth = min(_MAX_GROWTH, _ROWS / max(len(rows), 1))
            rows += moments[bisect_left(places, from_ms) : bisect_left(places, to_ms)]
            rows.sort()
            yield rows
            from_ms, span_ms = to_ms, max(1, min(_MAX_MS, int(span_ms * growth)))

    async def _moments(self, connection: Any, day_ms: int) -> list[Row]:
        moments: list[Row] = []
        for shard, after_ms, known_ms in await connection.fetch(_GAPS, self._until_ms, self._since_ms):
            moments.append(moment(after_ms, shard, RowKind.LOST))
            if known_ms is not None:
                moments.append(moment(known_ms, shard, RowKind.KNOWN))
        for shard, at_ms, next_ms in await connection.fetch(_SILENCES, day_ms, self._until_ms, self._stale_ms):
            moments.append(moment(at_ms + self._stale_ms, shard, RowKind.SILENT))
            moments.append(moment(next_ms, shard, RowKind.HEARD))
        return sorted(moments)

    async def results(self, markets: Sequence[MarketId]) -> AsyncIterator[Observation]:
        """Yield the last state of markets, whenever it was, for the results in it."""
        connection = await self._database.connect()
        try:
            for start in range(0, len(markets), _KEYS_AT_ONCE):
                keys = [key_of(market) for market in markets[start : start + _KEYS_AT_ONCE]]
                for (change,) in await connection.fetch(_RESULTS, keys, self._until_ms):
                    record = record_in(change)
                    yield Observation(self._until_ms, record.id, record, ())
        finally:
            await connection.close()


def _taken(timeline: Timeline, row: Row) -> Iterator[Observation | Unknown]:
    try:
        yield from timeline.take(row)
    except (*DECODING_ERRORS, ValueError):
        raise UnreadableRow(row) from None


async def _read(connection: Any, queries: Iterable[str], *times_ms: int) -> list[tuple[int, Row]]:
    """Return the rows of a time, each with its key."""
    changes, records = queries
    rows = [(key, change_row(*row)) for key, *row in await connection.fetch(changes, *times_ms)]
    others = await connection.fetch(records, *times_ms, list(RECORD_KINDS))
    return rows + [(key, record_row(*row)) for key, *row in others]


def _command_in(sealed: bytes) -> Command | None:
    """Return a command after a step of its life; None for an entry that is none, or can't be read."""
    try:
        return _decode_command(sealed)
    except DECODING_ERRORS:
        return None
