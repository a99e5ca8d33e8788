"""Verifies entries of all shards together, window after window of time, as it is fastest to read them.

A window has all entries of a time, in the order of their positions. Where a clock was set back that is not the order of the
chain; what seems wrong here is verified again in that order (`verifier`), which names what it is.
"""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Any, Final, NamedTuple

from oddsengine.history.database import Database
from oddsengine.history.rows.tables import GapBody
from oddsengine.history.verification.entry_chain import Anchor, EntryChain, StoredChange, StoredEntry

#: How many entries and changes a window has, about, and at most, unless they are all of one millisecond.
_ENTRIES, _CHANGES = 10_000, 20_000
_MAX_ENTRIES, _MAX_CHANGES = 4 * _ENTRIES, 4 * _CHANGES
_MAX_GROWTH: Final = 4.0
_FIRST_MS: Final = 60_000
_DAY_MS: Final = 86_400_000
_WINDOW: Final = "shard = ANY($1::smallint[]) AND at_ms >= $2 AND at_ms < $3"
# Entries are sorted here: they come nearly in order, and the server's sort makes no use of that. Changes it sorts as fast.
_READ_ENTRIES: Final = f"SELECT {', '.join(StoredEntry._fields)}, shard FROM entries WHERE {_WINDOW} LIMIT $4"
_READ_CHANGES: Final = f"""
    SELECT {", ".join(StoredChange._fields)}, shard FROM changes WHERE {_WINDOW} ORDER BY shard, epoch, seq, ordinal LIMIT $4
"""
_SHARD_OF_ENTRY: Final = len(StoredEntry._fields)
_SHARD_OF_CHANGE: Final = len(StoredChange._fields)
_ENTRY_PLACE: Final = itemgetter(_SHARD_OF_ENTRY, 0, 1)
_BEFORE: Final = """
    SELECT epoch, seq, digest, at_ms FROM entries WHERE shard = $1 AND at_ms >= $2 AND at_ms < $3
    ORDER BY at_ms DESC, epoch DESC, seq DESC LIMIT 1
"""
_NEXT: Final = "SELECT min(at_ms) FROM entries WHERE shard = $1 AND at_ms >= $2 AND at_ms < $3"
_SESSION: Final = (
    # Only the partitions of a window are planned for; workers of the server would sort what fits into memory.
    "SET LOCAL plan_cache_mode = force_custom_plan",
    "SET LOCAL jit = off",
    "SET LOCAL work_mem = '64MB'",
    "SET LOCAL max_parallel_workers_per_gather = 0",
)
#: the last entry of a chain
Last = tuple[int, int, bytes]


class Facts(NamedTuple):
    """The facts about a shard beside its entries: see `EntryChain`."""

    gaps: Mapping[tuple[int, int], GapBody]
    anchors: Mapping[tuple[int, int], Anchor]
    dropped: Mapping[tuple[int, int], tuple[int, int, bytes]]
    shards: int


class Job(NamedTuple):
    """A verification to be made.

    Attributes:
        database: where it is.
        moment: the snapshot of the database that is read.
        shards: what is known of each shard.
        period: the times to verify between, Unix milliseconds.
    """

    database: Database
    moment: str
    shards: Sequence[Facts]
    period: tuple[int, int]


class Part(NamedTuple):
    """The findings in a part of the time.

    Attributes:
        entries: of each shard, how many entries there are.
        changes: of each shard, how many changes they have.
        met: of each shard, how many anchors were there.
        begins: of each shard, the last entry before; None if there is none.
        ends: of each shard, the last entry up to the end.
        suspects: the shards in which something seems wrong.
    """

    entries: list[int]
    changes: list[int]
    met: list[int]
    begins: list[Last | None]
    ends: list[Last | None]
    suspects: set[int]


async def verify_part(job: Job, first_ms: int, end_ms: int) -> Part:
    """Verify the entries of a part of the time.

    Args:
        job: what is verified.
        first_ms: the first time, Unix milliseconds.
        end_ms: the time after the last.
    """
    connection = await job.database.connect()
    was_collecting = gc.isenabled()
    # Rows have no cycles, and there are very many.
    gc.disable()
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute(f"SET TRANSACTION SNAPSHOT '{job.moment}'")
            for statement in _SESSION:
                await connection.execute(statement)
            return await _Verification(job, connection).run(first_ms, end_ms)
    finally:
        if was_collecting:
            gc.enable()
        await connection.close()


class _Verification:
    def __init__(self, job: Job, connection: Any) -> None:
        self._job = job
        self._connection = connection
        self._chains = [EntryChain(shard, *facts) for shard, facts in enumerate(job.shards)]
        self._suspects: set[int] = set()
        self._entries, self._changes = [0] * len(self._chains), [0] * len(self._chains)

    async def run(self, first_ms: int, end_ms: int) -> Part:
        for shard, chain in enumerate(self._chains):
            row = await self._connection.fetchrow(_BEFORE, shard, self._job.period[0], first_ms)
            if row is not None:
                chain.last, chain.last_ms = tuple(row)[:3], row["at_ms"]
        begins = [chain.last for chain in self._chains]
        at_ms, span_ms = first_ms, float(_FIRST_MS)
        while at_ms < end_ms and len(self._suspects) < len(self._chains):
            until_ms = min(end_ms, at_ms + max(1, round(span_ms)))
            entries, changes = await self._read(at_ms, until_ms)
            if (len(entries) == _MAX_ENTRIES or len(changes) == _MAX_CHANGES) and until_ms > at_ms + 1:
                span_ms = (until_ms - at_ms) / _MAX_GROWTH
                continue
            self._check(entries, changes)
            fullness = max(len(entries) / _ENTRIES, len(changes) / _CHANGES, 1 / _MAX_GROWTH)
            span_ms = min(span_ms / fullness, _DAY_MS)
            at_ms = until_ms if entries else await self._next(until_ms, end_ms)
        met = [len(chain.met) for chain in self._chains]
        return Part(self._entries, self._changes, met, begins, [chain.last for chain in self._chains], self._suspects)

    async def _read(self, at_ms: int, until_ms: int) -> tuple[list[Any], list[Any]]:
        shards, is_whole = list(range(len(self._chains))), until_ms == at_ms + 1
        entries = await self._connection.fetch(_READ_ENTRIES, shards, at_ms, until_ms, None if is_whole else _MAX_ENTRIES)
        changes = await self._connection.fetch(_READ_CHANGES, shards, at_ms, until_ms, None if is_whole else _MAX_CHANGES)
        entries.sort(key=_ENTRY_PLACE)
        return entries, changes

    async def _next(self, at_ms: int, end_ms: int) -> int:
        """Return the time of the next entry."""
        found = [await self._connection.fetchval(_NEXT, shard, at_ms, end_ms) for shard in range(len(self._chains))]
        return min((each for each in found if each is not None), default=end_ms)

    def _check(self, entries: list[Any], changes: list[Any]) -> None:
        of_entries, of_changes = self._bounds(entries, _SHARD_OF_ENTRY), self._bounds(changes, _SHARD_OF_CHANGE)
        limits = zip(pairwise(of_entries), pairwise(of_changes), strict=True)
        for shard, ((first, end), (first_change, end_change)) in enumerate(limits):
            chain = self._chains[shard]
            self._entries[shard] += end - first
            self._changes[shard] += end_change - first_change
            is_first = chain.last is None and bool(self._job.period[0])
            if (first < end or first_change < end_change) and chain.check(
                entries[first:end], changes[first_change:end_change], is_first=is_first
            ) is not None:
                self._suspects.add(shard)

    def _bounds(self, rows: list[Any], column: int) -> list[int]:
        """Return where the rows of each shard begin, and the last ones end."""
        return [bisect_left(rows, shard, key=itemgetter(column)) for shard in range(len(self._chains) + 1)]
