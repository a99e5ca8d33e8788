"""The statements that the history of a market is read with. Each looks at a day, or at few rows of an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from oddsengine.history.questions.cursors import Place
from oddsengine.history.questions.sightings import CHANGE, Gap, Profiles, Sighting, sighting_of, with_ends
from oddsengine.history.rows.shard_rows import DAY_MS
from oddsengine.history.rows.tables import RecordKind

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_SEEN: Final = (RecordKind.MARKET, RecordKind.MARKET_LEFT)
#: How many rows are fetched at once, at first and at most: the first few are mostly enough.
_FIRST_ROWS, _MAX_ROWS = 8, 128
_decode_names: Final = msgspec.msgpack.Decoder(tuple[str, ...]).decode


def _branch(table: str, number: str, kind: int, body: str, *, back: bool) -> str:
    compared, order = ("<", "DESC") if back else (">", "ASC")
    columns = ", ".join(f"{name} {order}" for name in ("at_ms", "epoch", "seq", "number"))
    of_kind = "" if kind == CHANGE else f" AND kind = {kind}"
    return (
        f"(SELECT at_ms, epoch, seq, {number} AS number, {kind} AS kind, {body} AS body FROM {table} WHERE key = $1{of_kind}"
        f" AND at_ms BETWEEN $2 AND $3 AND (at_ms, epoch, seq, {number}) {compared} ($4, $5, $6, $7) ORDER BY {columns} LIMIT $8)"
    )


def _rows(*, back: bool) -> str:
    branches = [_branch("changes", "0::bigint", CHANGE, "change", back=back)]
    branches += [_branch("records", "number", kind, "body", back=back) for kind in _SEEN]
    order = "DESC" if back else "ASC"
    columns = ", ".join(f"{name} {order}" for name in ("at_ms", "epoch", "seq", "number"))
    return f"{' UNION ALL '.join(branches)} ORDER BY {columns} LIMIT $8"


_FORWARD: Final = _rows(back=False)
_BACK: Final = _rows(back=True)


async def sightings(
    connection: Any, market: str, key: int, start: Place, limits: tuple[int, int], *, back: bool = False
) -> AsyncGenerator[Sighting, None]:
    """Yield what the rows of a market say, after a place, or before it with the latest first.

    Args:
        connection: a connection.
        market: its id.
        key: its key.
        start: the place.
        limits: the first and the last time, Unix milliseconds.
        back: whether to go back in time.
    """
    count = _FIRST_ROWS
    while True:
        rows = await connection.fetch(_BACK if back else _FORWARD, key, *limits, *start, count)
        for row in rows:
            found = sighting_of(row, market)
            if found is not None:
                yield found
        if len(rows) < count:
            return
        last = rows[-1]
        start = Place(last["at_ms"], last["epoch"], last["seq"], last["number"])
        count = min(2 * count, _MAX_ROWS)


def _place(row: Any) -> Place:
    return Place(row["at_ms"], row["epoch"], row["seq"], 0)


class Moment(NamedTuple):
    """A time in a shard's history.

    Attributes:
        reached: the last entry that is archived.
        entry: the last one up to the time; None if there is none.
        is_dropped: whether a day between that and the time is not kept any more.
    """

    reached: Place
    entry: Place | None
    is_dropped: bool


async def find_moment(connection: Any, shard: int, at_ms: int | None) -> Moment | None:
    """Return a time, None for the newest, in the history of a shard; None if nothing is archived."""
    row = await connection.fetchrow(
        """SELECT p.at_ms AS reached_ms, p.epoch AS reached_epoch, p.seq AS reached_seq, e.at_ms, e.epoch, e.seq,
               EXISTS (SELECT FROM dropped WHERE shard = $1 AND day > coalesce(e.at_ms / $4, -1)
                       AND day <= coalesce($2, p.at_ms) / $4) AS is_dropped
           FROM positions p LEFT JOIN LATERAL (
               SELECT at_ms, epoch, seq FROM entries WHERE shard = $1 AND at_ms <= coalesce($2, p.at_ms)
               ORDER BY at_ms DESC, epoch DESC, seq DESC LIMIT 1
           ) e ON true WHERE p.stream = $3""",
        shard,
        at_ms,
        str(shard),
        DAY_MS,
    )
    if row is None:
        return None
    entry = None if row["at_ms"] is None else _place(row)
    return Moment(Place(row["reached_ms"], row["reached_epoch"], row["reached_seq"], 0), entry, row["is_dropped"])


async def first_entry_ms(connection: Any, shard: int) -> int | None:
    """Return when the history of a shard begins."""
    found: int | None = await connection.fetchval("SELECT at_ms FROM entries WHERE shard = $1 ORDER BY at_ms LIMIT 1", shard)
    return found


async def is_dropped(connection: Any, shard: int, first_ms: int, last_ms: int) -> bool:
    """Check whether a day of a time was dropped."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM dropped WHERE shard = $1 AND day BETWEEN $2 AND $3)",
        shard,
        first_ms // DAY_MS,
        last_ms // DAY_MS,
    )
    return found


async def load_gaps(connection: Any, shard: int) -> list[Gap]:
    """Return all gaps of a shard, in order, each with its end; days that are not kept any more are some."""
    rows = await connection.fetch(
        """SELECT after_ms, until_epoch, until_seq, known_ms, reason FROM gaps WHERE shard = $1
           UNION ALL SELECT day * $2, epoch, seq, (day + 1) * $2, 'dropped' FROM dropped WHERE shard = $1
           ORDER BY 2, 3""",
        shard,
        DAY_MS,
    )
    return with_ends([Gap(row[0], (row[1], row[2]), row[3], row[4]) for row in rows])


async def load_profiles(connection: Any, shard: int, first_ms: int, last_ms: int) -> Profiles:
    """Return the profiles of a shard over a time that begins with a day."""
    rows = await connection.fetch(
        "SELECT epoch, seq, body FROM records WHERE key = $1 AND kind = $2 AND at_ms BETWEEN $3 AND $4 ORDER BY number",
        shard,
        RecordKind.PROFILES,
        first_ms,
        last_ms,
    )
    return Profiles(((row[0], row[1]), _decode_names(row[2])) for row in rows)


async def event_record(connection: Any, key: int, at_ms: int) -> bytes | None:
    """Return the last record with the key of an event up to a time, or else the first one."""
    found: bytes | None = await connection.fetchval(
        "SELECT body FROM records WHERE key = $1 AND kind = $2 AND at_ms <= $3 ORDER BY at_ms DESC, number DESC LIMIT 1",
        key,
        RecordKind.EVENT,
        at_ms,
    )
    if found is None:
        found = await connection.fetchval(
            "SELECT body FROM records WHERE key = $1 AND kind = $2 ORDER BY at_ms, number LIMIT 1", key, RecordKind.EVENT
        )
    return found
