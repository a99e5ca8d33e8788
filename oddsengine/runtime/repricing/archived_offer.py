"""What was published, as the history has it."""

from __future__ import annotations

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
    Timeline,
    Unknown,
    What,
    change_row,
    last_of_each,
    moment,
    record_row,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from oddsengine.domain.ids import MarketId
    from oddsengine.history.database import Database

#: How much is read at once.
_WINDOW_MS: Final = 10_000
_KEYS_AT_ONCE: Final = 1000
_decode_command: Final = msgspec.msgpack.Decoder(Command).decode
_CHANGES: Final = (
    "SELECT key, at_ms, shard, epoch, seq, ordinal, change FROM changes WHERE at_ms >= $1 AND at_ms < $2",
    "SELECT key, at_ms, shard, epoch, seq, kind, number, body FROM records WHERE at_ms >= $1 AND at_ms < $2 AND kind = ANY($3)",
)
# Each day begins with whole states, so nothing before it is needed; of what came then, only the last is.
_LAST: Final = (
    """SELECT DISTINCT ON (key) key, at_ms, shard, epoch, seq, ordinal, change FROM changes WHERE at_ms >= $1 AND at_ms < $2
       ORDER BY key, at_ms DESC, epoch DESC, seq DESC, ordinal DESC""",
    """SELECT DISTINCT ON (key, kind) key, at_ms, shard, epoch, seq, kind, number, body FROM records
       WHERE at_ms >= $1 AND at_ms < $2 AND kind = ANY($3) ORDER BY key, kind, at_ms DESC, number DESC""",
)
_SILENCES: Final = """
    SELECT shard, at_ms, next_ms FROM (
        SELECT shard, at_ms, coalesce(lead(at_ms) OVER (PARTITION BY shard ORDER BY epoch, seq), $2) AS next_ms
        FROM entries WHERE at_ms >= $1 AND at_ms < $2
    ) AS each WHERE next_ms - at_ms > $3"""
_RESULTS: Final = """
    SELECT DISTINCT ON (key) change FROM changes WHERE key = ANY($1) AND at_ms >= $2
    ORDER BY key, at_ms DESC, epoch DESC, seq DESC, ordinal DESC"""


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
        where = f"{row.what.name.lower()} at {row.epoch}-{row.seq} of shard {row.shard}"
        super().__init__(f"the history can't be read: {where}: run `oddsengine history verify`")


class ArchivedOffer:
    """What was published from one time to another, Unix milliseconds.

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
        """Return up to when it is archived, at most where it ends.

        Raises:
            NothingArchived: if that is before it begins.
        """
        rows = await self._database.fetch("SELECT max(at_ms) FROM positions WHERE stream ~ '^[0-9]+$'")
        reached = rows[0][0]
        if reached is None or reached <= self._since_ms:
            raise NothingArchived
        return min(int(reached), self._until_ms)

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
        yield last_of_each(await _read(connection, _LAST, day_ms, self._since_ms))
        yield [each for each in moments if each.at_ms < self._since_ms]
        for from_ms in range(self._since_ms, self._until_ms, _WINDOW_MS):
            to_ms = min(from_ms + _WINDOW_MS, self._until_ms)
            rows = [row for _, row in await _read(connection, _CHANGES, from_ms, to_ms)]
            yield sorted(rows + [each for each in moments if from_ms <= each.at_ms < to_ms])

    async def _moments(self, connection: Any, day_ms: int) -> list[Row]:
        moments: list[Row] = []
        query = "SELECT shard, after_ms, known_ms FROM gaps WHERE shard >= 0 AND after_ms < $1 AND coalesce(known_ms, $1) > $2"
        for shard, after_ms, known_ms in await connection.fetch(query, self._until_ms, self._since_ms):
            moments.append(moment(after_ms, shard, What.LOST))
            if known_ms is not None:
                moments.append(moment(known_ms, shard, What.KNOWN))
        for shard, at_ms, next_ms in await connection.fetch(_SILENCES, day_ms, self._until_ms, self._stale_ms):
            moments.append(moment(at_ms + self._stale_ms, shard, What.SILENT))
            moments.append(moment(next_ms, shard, What.HEARD))
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


async def _read(connection: Any, queries: Iterable[str], from_ms: int, to_ms: int) -> list[tuple[int, Row]]:
    """Return the rows of a time, each with its key."""
    changes, records = queries
    rows = [(key, change_row(*row)) for key, *row in await connection.fetch(changes, from_ms, to_ms)]
    others = await connection.fetch(records, from_ms, to_ms, list(RECORD_KINDS))
    return rows + [(key, record_row(*row)) for key, *row in others]


def _command_in(sealed: bytes) -> Command | None:
    """Return a command after a step of its life; None for an entry that is none, or can't be read."""
    try:
        return _decode_command(sealed)
    except DECODING_ERRORS:
        return None
