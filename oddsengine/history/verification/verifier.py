"""Reads the history in the order of its chains, and has each checked. Everything is read as of one moment."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from oddsengine.history.archive.writer import read_position
from oddsengine.history.rows.command_rows import NUMBER, STREAM, CommandRow
from oddsengine.history.rows.note_rows import NOTES
from oddsengine.history.rows.tables import GapBody, GapRow, RecordRow, ShardPosition
from oddsengine.history.schema.partitions import DAY_MS
from oddsengine.history.verification.checkpoints import CheckpointRow, read_checkpoints
from oddsengine.history.verification.entry_chain import Anchor, EntryChain, StoredChange, StoredEntry, kept_anchors
from oddsengine.history.verification.note_chains import CommandChain, RecordChain
from oddsengine.history.verification.parts import verify_parts
from oddsengine.history.verification.problems import Problem
from oddsengine.history.verification.unchained import find_foreign, find_foreign_change, find_kept, find_moved
from oddsengine.history.verification.windows import Facts, Job

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from oddsengine.history.database import Database
    from oddsengine.history.verification.checkpoints import Checkpoint

#: Rows that are read at once.
_CHUNK: Final = 5000
_ENTRIES: Final = f"SELECT {', '.join(StoredEntry._fields)} FROM entries WHERE shard = $1 AND at_ms >= $2 AND at_ms < $3"
_CHANGES: Final = f"""
    SELECT {", ".join(StoredChange._fields)} FROM changes
    WHERE shard = $1 AND at_ms >= $2 AND at_ms <= $3 AND (epoch, seq) >= ($4, $5) AND (epoch, seq) <= ($6, $7)
    ORDER BY epoch, seq, ordinal
"""
_RECORDS: Final = f"SELECT {', '.join(RecordRow._fields)} FROM records WHERE shard = $1 AND at_ms >= $2 AND at_ms < $3"
_ADDED: Final = """
    SELECT epoch, seq, at_ms, ordinal FROM changes c WHERE shard = $1 AND at_ms >= $2 AND at_ms < $3 AND NOT EXISTS (
        SELECT FROM entries e WHERE e.shard = c.shard AND (e.epoch, e.seq, e.at_ms) = (c.epoch, c.seq, c.at_ms)
    ) ORDER BY epoch, seq LIMIT 1
"""
_TIMES: Final = (
    "SELECT min(at_ms) AS first_ms, max(at_ms) AS last_ms FROM entries WHERE shard = $1 AND at_ms >= $2 AND at_ms < $3"
)
#: From the first entry to the last.
EVER: Final = (0, 2**62)


class Verified(NamedTuple):
    """The result of a verification: what was verified, the first problem of each chain, and what the history says that it lacks.

    `dropped` are days that are not kept any more, since 1970; `newest` is the newest checkpoint that is what it was.
    """

    entries: int
    changes: int
    records: int
    commands: int
    checkpoints: int
    problems: list[Problem]
    gaps: list[GapRow]
    dropped: list[int]
    newest: CheckpointRow | None


class Verifier:
    """Verifies a history.

    Args:
        database: where it is.
        keys: the keys that may have signed checkpoints, by their ids; without any, checkpoints are not verified.
        progress: called with how many entries were verified more.
        period: the times to verify between, Unix milliseconds; the first is included.
        processes: how many processes verify entries; None for as many as there are processors, where that is worth it.
    """

    def __init__(
        self,
        database: Database,
        keys: Mapping[str, Ed25519PublicKey],
        progress: Callable[[int], None] = lambda _: None,
        period: tuple[int, int] = EVER,
        processes: int | None = None,
    ) -> None:
        self._processes = processes
        self._database = database
        self._keys = keys
        self._progress = progress
        self._period = period
        self._checkpoints: list[Checkpoint] = []
        self._newest: CheckpointRow | None = None
        self._problems: list[Problem] = []
        self._found_gaps: list[GapRow] = []
        self._dropped: set[int] = set()
        self._counts = dict.fromkeys(("entries", "changes", "records", "commands"), 0)

    async def count(self) -> int:
        """Return how many entries there are to verify."""
        connection = await self._database.connect()
        try:
            query = "SELECT count(*) FROM entries WHERE at_ms >= $1 AND at_ms < $2"
            return int(await connection.fetchval(query, *self._period))
        finally:
            await connection.close()

    async def run(self) -> Verified:
        """Verify everything, and return what was found."""
        connection = await self._database.connect()
        beside = await self._database.connect()
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                moment = await connection.fetchval("SELECT pg_export_snapshot()")
                async with beside.transaction(isolation="repeatable_read", readonly=True):
                    await beside.execute(f"SET TRANSACTION SNAPSHOT '{moment}'")
                    await self._verify(connection, beside, moment)
        finally:
            await connection.close()
            await beside.close()
        return Verified(
            **self._counts,
            checkpoints=len(self._checkpoints),
            problems=self._problems,
            gaps=self._found_gaps,
            dropped=sorted(self._dropped),
            newest=self._newest,
        )

    async def _verify(self, connection: Any, beside: Any, moment: str) -> None:
        if self._keys:
            columns = ", ".join(CheckpointRow._fields)
            found = await connection.fetch(f"SELECT {columns} FROM checkpoints ORDER BY number")
            rows = [CheckpointRow(*row) for row in found]
            self._checkpoints, problem = read_checkpoints(rows, self._keys)
            self._newest = rows[len(self._checkpoints) - 1] if self._checkpoints else None
            self._note(problem)
        shards = await connection.fetchval("SELECT shards FROM installation") or 0
        signed = {stream for checkpoint in self._checkpoints for stream in checkpoint.streams}
        self._problems += await find_foreign(connection, shards, signed)
        facts, positions = [], []
        for shard in range(shards):
            position = await read_position(connection, str(shard))
            dropped = await self._read_dropped(connection, shard)
            self._problems += await find_kept(connection, shard, dropped) or await find_moved(connection, shard, position)
            records = await self._check_records(connection, shard, dropped, position)
            jumps = {(row["before_epoch"], row["before_seq"]): (row["epoch"], row["seq"], row["digest"]) for row in dropped}
            facts.append(Facts(records.gaps, kept_anchors(self._positions(str(shard)), jumps), jumps, shards))
            positions.append(position)
        suspects = await self._check_windows(connection, Job(self._database, moment, facts, self._period), positions)
        for shard in suspects:
            await self._check_entries(connection, beside, EntryChain(shard, *facts[shard]), shard, positions[shard])
        dropped = await self._read_dropped(connection, NOTES)
        await self._check_records(connection, NOTES, dropped, await read_position(connection, str(NOTES)), "notes")
        await self._check_commands(connection)

    async def _read_dropped(self, connection: Any, shard: int) -> list[Any]:
        """Return where the days of a shard that are not kept any more began and ended, in order."""
        rows: list[Any] = await connection.fetch("SELECT * FROM dropped WHERE shard = $1 ORDER BY day", shard)
        self._dropped.update(row["day"] for row in rows if self._period[0] < (row["day"] + 1) * DAY_MS)
        return rows

    async def _check_records(
        self, connection: Any, shard: int, dropped: Sequence[Any], position: ShardPosition, name: str = ""
    ) -> RecordChain:
        gaps, jumps = await self._gaps(connection, shard), _jumps(dropped)
        kept = {gap.number: gap for gap in gaps if not any(before < gap.number <= last for before, (last, _) in jumps.items())}
        chain = RecordChain(shard, kept, self._numbers(shard), jumps, name)
        # The record of a gap is on the day before it. If that is not kept any more, the row is all there is.
        ends = {(row["epoch"], row["seq"]) for row in dropped}
        for gap in gaps:
            if gap.number not in kept and gap[1:3] in ends:
                said = GapBody(*gap[1:3], *gap[4:6], gap.until_digest, b"", gap.reason)
                chain.gaps[gap.until_epoch, gap.until_seq] = said
        if self._period[0]:
            chain.digest = None
        async with aclosing(_chunks(connection, f"{_RECORDS} ORDER BY number", shard, *self._period)) as chunks:
            async for rows in chunks:
                problem = chain.check(RecordRow(*row) for row in rows)
                self._counts["records"] += len(rows)
                if problem is not None:
                    self._note(problem)
                    return chain
        # Without any since the period begins, the last one may be older.
        if self._reaches_end and (chain.number or self._is_whole):
            self._note(chain.end(position.number, position.record_digest, is_whole=self._is_whole))
        return chain

    async def _check_windows(self, connection: Any, job: Job, positions: Sequence[ShardPosition]) -> list[int]:
        """Check the entries as it is fastest. Return the shards that have to be checked in the order of their chains."""
        shards = range(len(job.shards))
        found = [await connection.fetchrow(_TIMES, shard, *self._period) for shard in shards]
        times_ms = [row for row in found if row["first_ms"] is not None]
        query = "SELECT count(*) FROM changes WHERE at_ms >= $1 AND at_ms < $2"
        changes = await connection.fetchval(query, *self._period)
        if not times_ms:
            self._problems += await find_foreign_change(connection, len(shards))
            return list(shards)
        limits = min(row["first_ms"] for row in times_ms), max(row["last_ms"] for row in times_ms) + 1
        part = await verify_parts(job, limits, await self.count(), self._progress, self._processes)
        suspects = set(part.suspects)
        if changes != sum(part.changes):
            self._problems += await find_foreign_change(connection, len(shards))
            suspects.update(shards)
        ends = [(part.ends[shard] or (0, 0, b""), max(job.shards[shard].anchors, default=(0, 0))) for shard in shards]
        suspects.update(
            shard
            for shard, (last, signed) in enumerate(ends)
            if self._has_end(positions[shard]) and (last != positions[shard][:3] or signed > last[:2])
        )
        if self._is_whole:
            suspects.update(shard for shard in shards if part.met[shard] != len(job.shards[shard].anchors))
        self._counts["entries"] += sum(part.entries[shard] for shard in shards if shard not in suspects)
        self._counts["changes"] += sum(part.changes[shard] for shard in shards if shard not in suspects)
        return sorted(suspects)

    async def _check_entries(self, connection: Any, beside: Any, chain: EntryChain, shard: int, position: ShardPosition) -> None:
        is_first, found = bool(self._period[0]), 0
        async with aclosing(self._entries_with_changes(connection, beside, shard)) as chunks:
            async for rows, changes in chunks:
                problem = chain.check(rows, changes, is_first=is_first)
                is_first = False
                self._counts["entries"] += len(rows)
                found += len(changes)
                self._progress(len(rows))
                if problem is not None:
                    self._note(problem)
                    return
        self._counts["changes"] += found
        query = "SELECT count(*) FROM changes WHERE shard = $1 AND at_ms >= $2 AND at_ms < $3"
        if await connection.fetchval(query, shard, *self._period) != found:
            self._note(await self._find_added(connection, shard))
        elif self._has_end(position):
            self._note(chain.end(position.epoch, position.seq, position.digest, is_whole=self._is_whole))

    async def _entries_with_changes(
        self, connection: Any, beside: Any, shard: int
    ) -> AsyncGenerator[tuple[list[Any], list[Any]], None]:
        """Yield entries in order, with their changes. The next ones are read while these are checked."""
        reading: asyncio.Task[list[Any]] | None = None
        earlier: list[Any] = []
        try:
            async with aclosing(_chunks(connection, f"{_ENTRIES} ORDER BY epoch, seq", shard, *self._period)) as chunks:
                async for rows in chunks:
                    times = [row[2] for row in rows]
                    limits = (min(times), max(times), rows[0][0], rows[0][1], rows[-1][0], rows[-1][1])
                    before, reading_before, earlier = earlier, reading, rows
                    changes = [] if reading_before is None else await reading_before
                    reading = asyncio.create_task(beside.fetch(_CHANGES, shard, *limits))
                    await asyncio.sleep(0)
                    if reading_before is not None:
                        yield before, changes
            if reading is not None:
                yield earlier, await reading
        finally:
            if reading is not None:
                await asyncio.wait([reading])

    async def _check_commands(self, connection: Any) -> None:
        position = await read_position(connection, STREAM)
        gaps = {gap.until_seq: gap for gap in await self._gaps(connection, NUMBER)}
        anchors = {seq: anchor for (_, seq), anchor in self._positions(STREAM).items()}
        numbers = {end.seq: end.number for checkpoint in self._checkpoints if (end := checkpoint.streams.get(STREAM)) is not None}
        chain = CommandChain(gaps, anchors, numbers)
        async with aclosing(_chunks(connection, f"SELECT {', '.join(CommandRow._fields)} FROM commands ORDER BY seq")) as chunks:
            async for rows in chunks:
                problem = chain.check(CommandRow(*row) for row in rows)
                self._counts["commands"] += len(rows)
                if problem is not None:
                    self._note(problem)
                    return
        self._note(chain.end(position))

    async def _find_added(self, connection: Any, shard: int) -> Problem:
        row = await connection.fetchrow(_ADDED, shard, *self._period)
        what = "added: no entry consists of it"
        if row is None:
            return Problem(f"shard {shard}", "changes", 0, what)
        return Problem(f"shard {shard}", f"change {row['ordinal']} of entry {row['epoch']}-{row['seq']}", row["at_ms"], what)

    async def _gaps(self, connection: Any, shard: int) -> list[GapRow]:
        rows = await connection.fetch(f"SELECT {', '.join(GapRow._fields)} FROM gaps WHERE shard = $1 ORDER BY number", shard)
        gaps = [GapRow(*row) for row in rows]
        first_ms, end_ms = self._period
        self._found_gaps += [gap for gap in gaps if gap.until_ms >= first_ms and gap.after_ms < end_ms]
        return gaps

    @property
    def _is_whole(self) -> bool:
        return self._period == EVER

    @property
    def _reaches_end(self) -> bool:
        return self._period[1] == EVER[1]

    def _has_end(self, position: ShardPosition) -> bool:
        """Check whether the end of the chain of a shard is verified."""
        return self._is_whole or (self._reaches_end and position.at_ms >= self._period[0])

    def _positions(self, stream: str) -> dict[tuple[int, int], Anchor]:
        return {
            (end.epoch, end.seq): Anchor(bytes.fromhex(end.digest), f"checkpoint {checkpoint.number}")
            for checkpoint in self._checkpoints
            if (end := checkpoint.streams.get(stream)) is not None
        }

    def _numbers(self, shard: int) -> dict[int, Anchor]:
        return {
            end.number: Anchor(bytes.fromhex(end.record_digest), f"checkpoint {checkpoint.number}")
            for checkpoint in self._checkpoints
            if (end := checkpoint.streams.get(str(shard))) is not None
        }

    def _note(self, problem: Problem | None) -> None:
        if problem is not None:
            self._problems.append(problem)


def _jumps(dropped: Sequence[Any]) -> dict[int, tuple[int, bytes]]:
    """Return over which records the chain of records goes on after dropped days."""
    return {row["before_number"]: (row["number"], row["record_digest"]) for row in dropped if row["number"] is not None}


async def _chunks(connection: Any, query: str, *args: Any) -> AsyncGenerator[list[Any], None]:
    """Yield the rows of a query in pieces. The next piece is read while one is used: close this before the connection is."""
    cursor = await connection.cursor(query, *args)
    reading = asyncio.create_task(cursor.fetch(_CHUNK))
    try:
        while rows := await reading:
            reading = asyncio.create_task(cursor.fetch(_CHUNK))
            await asyncio.sleep(0)
            yield rows
    finally:
        await asyncio.wait([reading])
