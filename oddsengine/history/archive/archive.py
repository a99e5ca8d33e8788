"""Archives all shards while this process is the one that does: reads their streams, and writes what it read in one transaction.

Two things go on side by side. The reading of each shard adds rows, and pauses while too many are not written: so a database that
is slow or away is waited for, and nobody else is kept waiting. The writing takes all rows there are, and writes them again until
the database has them. Rows and positions are written together, so that after any crash reading goes on where writing ended.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog

from oddsengine.common.reporting.outages import Outage
from oddsengine.common.tasks import end_tasks
from oddsengine.history.archive.command_reader import CommandReader
from oddsengine.history.archive.note_reader import NoteReader
from oddsengine.history.archive.restoring import restore_shard
from oddsengine.history.archive.writer import read_position, write_batches
from oddsengine.history.database import UNREACHABLE, aborted_after, claim_installation
from oddsengine.history.errors import Displaced
from oddsengine.history.rows.command_rows import STREAM, CommandRows
from oddsengine.history.rows.note_rows import NOTES, NoteRows
from oddsengine.history.rows.shard_rows import BEGINNING
from oddsengine.history.rows.tables import NOTHING
from oddsengine.streams.chain.links import Link
from oddsengine.streams.commands.log import CommandLog
from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, note_outage
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.notes.log import NoteLog
from oddsengine.streams.positions import Position
from oddsengine.streams.tailing.shard_tail import Broken, ShardTail

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from oddsengine.history.archive.upkeep import Upkeep
    from oddsengine.history.database import Database
    from oddsengine.history.rows.command_rows import CommandBatch
    from oddsengine.history.rows.shard_rows import ShardBatch, ShardRows
    from oddsengine.streams.clients.shared_reader import SharedReader

#: How often rows are written, and how many at most.
_WRITE_EVERY_S: Final = 0.5
_MAX_ROWS: Final = 50_000
#: Entries added before others get their turn.
_ENTRIES_AT_ONCE: Final = 50
_RETRY_S: Final = 0.5
#: Far longer than a server that is only slow takes: what it takes longer for is begun again, on another connection.
_RESTORE_TIMEOUT_S: Final = 600.0
_WRITE_TIMEOUT_S: Final = 120.0
_USER: Final = "archiver"
_OUTAGE: Final = Outage("history not written, trying again", "history written again")
_log = structlog.get_logger(__name__)


class Counters:
    """Counts of what an archiver has done, for metrics.

    `behind_s` is how old what was written last was, `waiting_ms` when what waits to be written was published, Unix milliseconds;
    None if nothing does.
    """

    def __init__(self) -> None:
        self.entries = 0
        self.changes = 0
        self.gaps = 0
        self.writes = 0
        self.behind_s = 0.0
        self.waiting_ms: int | None = None

    def behind(self, now_ms: int) -> float:
        """Return by how many seconds the history is behind: while nothing can be written that grows."""
        return self.behind_s if self.waiting_ms is None else max(0.0, (now_ms - self.waiting_ms) / 1000)


class Archive:
    """The archiving of one installation by one process.

    Args:
        database: where rows are written.
        reader: reads the streams; its `run` is run by the owner of this.
        namespace: the namespace of the keys.
        shards: how many shards there are.
        counters: what has been done.
        upkeep: what is due from time to time.
        wall_ms: Unix milliseconds by the system's clock.
    """

    def __init__(
        self,
        database: Database,
        reader: SharedReader,
        namespace: str,
        shards: int,
        counters: Counters,
        upkeep: Upkeep,
        wall_ms: Callable[[], int],
    ) -> None:
        self._upkeep = upkeep
        self._database = database
        self._reader = reader
        self._namespace = namespace
        self._shards = shards
        self._counters = counters
        self._wall_ms = wall_ms
        self._connection: Any = None
        self._rows: list[ShardRows] = []
        self._commands = CommandRows()
        self._notes = NoteRows()
        #: set while there is room for more rows
        self._room = asyncio.Event()
        self._is_full = asyncio.Event()

    async def run(self) -> None:
        """Archive until cancelled.

        Raises:
            SchemaMismatch, OtherHistory: if the database is not for this.
            Displaced: if another process archives too; begin again.
        """
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._open()
            for name, work in (("writer", self._write), ("commands", self._read_commands), ("notes", self._read_notes)):
                tasks.append(asyncio.create_task(work(), name=f"archive {name}"))
            for rows in self._rows:
                last = Link(Position(rows.position.epoch, rows.position.seq), rows.position.digest)
                tail = ShardTail(self._reader, rows.shard, shard_keys(self._namespace, rows.shard), last)
                tasks.append(asyncio.create_task(self._read(rows, tail), name=f"archive shard {rows.shard}"))
            await asyncio.gather(*tasks)
        finally:
            try:
                await end_tasks(tasks)
            finally:
                self._close()

    async def _open(self) -> None:
        """Connect, and restore the state of every shard. Waits until the database answers."""
        self._counters.waiting_ms = self._wall_ms()
        while True:
            try:
                self._connection = await self._database.connect()
                with aborted_after(self._connection, _RESTORE_TIMEOUT_S):
                    await claim_installation(self._connection, self._namespace, self._shards, self._wall_ms())
                    self._commands = CommandRows(await read_position(self._connection, STREAM))
                    self._notes = NoteRows(await read_position(self._connection, str(NOTES)))
                    self._rows = [await restore_shard(self._connection, shard) for shard in range(self._shards)]
            except UNREACHABLE as error:
                self._note(error)
                self._close()
                await asyncio.sleep(_RETRY_S)
            else:
                _OUTAGE.worked(_USER)
                self._room.set()
                self._counters.waiting_ms = None
                return

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _read(self, rows: ShardRows, tail: ShardTail) -> None:
        user = f"archive of shard {rows.shard}"
        late_at: tuple[int, ...] = ()
        with REDIS_OUTAGE.used_by(user):
            while True:
                await self._room.wait()
                try:
                    if rows.needs_snapshot:
                        loaded = await tail.load()
                        if loaded is not None:
                            rows.use(loaded)
                        if rows.needs_snapshot:
                            await asyncio.sleep(_RETRY_S)
                            continue
                    entries = await tail.read()
                except Broken as broken:
                    # The oldest entry of a stream that is always full is gone by the time that the snapshot is loaded.
                    is_late, late_at = rows.position[:2] == late_at, rows.position[:2]
                    await self._begin_gap(rows, tail, broken, is_late=is_late)
                except UNAVAILABLE as error:
                    note_outage(user, error)
                    await asyncio.sleep(_RETRY_S)
                else:
                    REDIS_OUTAGE.worked(user)
                    for number, entry in enumerate(entries, 1):
                        rows.add(entry)
                        if number % _ENTRIES_AT_ONCE == 0:
                            await asyncio.sleep(0)
                    self._count()

    async def _begin_gap(self, rows: ShardRows, tail: ShardTail, broken: Broken, *, is_late: bool) -> None:
        """Begin a gap, after which reading goes on with the oldest entry; if it was too late for that, with the newest."""
        try:
            found = (await tail.newest() if is_late else None) or broken.found
        except UNAVAILABLE:
            found = broken.found
        reason = BEGINNING if rows.position == NOTHING else broken.reason
        if reason != BEGINNING:
            _log.error("history has a gap", shard=rows.shard, error=str(broken))
        self._counters.gaps += 1
        rows.begin_gap(found, reason)
        tail.resume_with(found.position)

    async def _read_commands(self) -> None:
        reader = CommandReader(CommandLog(self._reader.redis, self._namespace), self._commands, self._find_archived)
        await self._follow("archive of commands", lambda: reader.step(self._wall_ms()), reader.take_gaps)

    async def _read_notes(self) -> None:
        reader = NoteReader(NoteLog(self._reader.redis, self._namespace), self._notes, self._ask)
        await self._follow("archive of notes", reader.step, reader.take_gaps)

    async def _follow(self, user: str, step: Callable[[], Awaitable[bool]], take_gaps: Callable[[], int]) -> None:
        """Take steps of a reader without end, while there is room."""
        with REDIS_OUTAGE.used_by(user):
            while True:
                await self._room.wait()
                try:
                    if not await step():
                        await asyncio.sleep(_RETRY_S)
                except UNAVAILABLE as error:
                    note_outage(user, error)
                    await asyncio.sleep(_RETRY_S)
                else:
                    REDIS_OUTAGE.worked(user)
                    self._counters.gaps += take_gaps()

    async def _find_archived(self, digests: list[bytes]) -> set[bytes]:
        """Return which digests are those of commands in the database. Waits until it answers."""
        return {row["digest"] for row in await self._ask("SELECT digest FROM commands WHERE digest = ANY($1::bytea[])", digests)}

    async def _ask(self, query: str, *args: Any) -> list[Any]:
        """Return the rows of a query. Waits until the database answers."""
        while True:
            try:
                connection = await self._database.connect()
                try:
                    with aborted_after(connection, _WRITE_TIMEOUT_S):
                        return list(await connection.fetch(query, *args))
                finally:
                    connection.terminate()
            except UNREACHABLE as error:
                self._note(error)
                await asyncio.sleep(_RETRY_S)

    def _count(self) -> None:
        if sum(rows.size for rows in self._rows) >= _MAX_ROWS:
            self._room.clear()
            self._is_full.set()

    async def _write(self) -> None:
        pending: list[ShardBatch] = []
        commands: CommandBatch | None = None
        while True:
            if not pending and commands is None:
                try:
                    async with asyncio.timeout(_WRITE_EVERY_S):
                        await self._is_full.wait()
                except TimeoutError:
                    pass  # there may be some all the same
                taken = [*(rows.take() for rows in self._rows), self._notes.take()]
                pending = [batch for batch in taken if batch is not None]
                commands = self._commands.take()
                self._counters.waiting_ms = _published_ms(pending)
                self._is_full.clear()
                self._room.set()
                if not pending and commands is None:
                    continue
            try:
                is_other = self._connection is None
                self._connection = self._connection or await self._database.connect()
                with aborted_after(self._connection, _WRITE_TIMEOUT_S):
                    if is_other:
                        pending = await self._missing(pending)
                        if commands is not None and await read_position(self._connection, STREAM) == commands.after:
                            commands = None
                    times_ms = {row.at_ms for batch in pending for row in batch.entries}
                    times_ms.update(row.at_ms for batch in pending for row in batch.records)
                    await self._upkeep.make_days(self._connection, times_ms)
                    await write_batches(self._connection, pending, commands)
                    await self._upkeep.run_due(self._connection)
            except UNREACHABLE as error:
                self._note(error)
                self._close()
                self._upkeep.forget()
                await asyncio.sleep(_RETRY_S)
            else:
                _OUTAGE.worked(_USER)
                self._written(pending)
                pending, commands = [], None

    async def _missing(self, batches: Sequence[ShardBatch]) -> list[ShardBatch]:
        """Return the batches that are not written yet: a connection that broke may have written them before."""
        missing = []
        for batch in batches:
            found = await read_position(self._connection, str(batch.shard))
            if found == batch.after:
                continue
            if found != batch.before:
                raise Displaced(str(batch.shard))
            missing.append(batch)
        return missing

    def _written(self, batches: Sequence[ShardBatch]) -> None:
        counters = self._counters
        counters.writes += 1
        counters.behind_s, counters.waiting_ms = counters.behind(self._wall_ms()), None
        counters.entries += sum(len(batch.entries) for batch in batches)
        counters.changes += sum(len(batch.changes) for batch in batches)

    @staticmethod
    def _note(error: BaseException) -> None:
        reason = str(error) or type(error).__name__
        _OUTAGE.failed(_USER, type(error).__name__, error=reason)


def _published_ms(batches: Sequence[ShardBatch]) -> int | None:
    """Return when the newest entries of that shard were published that is behind most; None without batches."""
    return min((batch.after.at_ms for batch in batches), default=None)
