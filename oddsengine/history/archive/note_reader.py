"""Reads the notes for the archive, and notices where some are missing: trimmed while nobody archived, or lost by Redis.

The stream of a Redis that has lost its data begins again, or has other notes at the same positions. The chain of digests tells:
what does not follow the last note that was archived is read again from the first one that was not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog

from oddsengine.history.rows.note_rows import NOTES, described
from oddsengine.streams.positions import ORIGIN, Position
from oddsengine.streams.tailing.shard_tail import LOST, TRIMMED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oddsengine.history.rows.note_rows import NoteRows
    from oddsengine.streams.notes.log import NoteLog
    from oddsengine.streams.notes.raw_note import RawNote

    #: asks the database, and waits until it answers
    Ask = Callable[..., Awaitable[list[Any]]]

_BLOCK_MS: Final = 500
_MAX_RECENT: Final = 10_000
_ARCHIVED: Final = """
    SELECT epoch, seq, body FROM records
    WHERE key = ANY($1::bigint[]) AND kind = ANY($2::smallint[]) AND at_ms BETWEEN $3 AND $4 AND shard = $5
"""
_MISSING: Final = {TRIMMED: "notes were trimmed before they were archived", LOST: "Redis has lost notes"}
_log = structlog.get_logger(__name__)


class NoteReader:
    """Adds notes to the rows, in order and each once.

    Args:
        log: the notes.
        rows: the rows to add to.
        ask: asks the database.
    """

    def __init__(self, log: NoteLog, rows: NoteRows, ask: Ask) -> None:
        self._log = log
        self._rows = rows
        self._ask = ask
        #: position and digest of notes that may not be in the database yet
        self._recent: set[tuple[Position, bytes]] = set()
        #: where a stream ends of which everything is archived, though it lacks what was archived last
        self._behind: Position | None = None
        self._gaps = 0

    def take_gaps(self) -> int:
        """Return how many gaps there were since the last call."""
        gaps, self._gaps = self._gaps, 0
        return gaps

    async def step(self) -> bool:
        """Read what comes next, waiting for it a moment. Return False if the stream has lost its end, and nothing has followed.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        last, digest = self._rows.last, self._rows.position.digest
        notes = await self._log.read(last, _BLOCK_MS)
        if last == ORIGIN:
            self._add(notes)
            return True
        reason = LOST
        if notes:
            first = notes[0]
            if first.position.epoch == last.epoch and first.position.seq > last.seq + 1:
                reason = TRIMMED
            elif first.position.epoch == last.epoch and first.follows(digest):
                self._add(notes)
                return True
        elif await self._log.digest_at(last) == digest:
            return True
        if reason == LOST:
            notes = await self._unknown()
        if not notes:
            return False
        _log.error("history has a gap", shard="notes", error=_MISSING[reason])
        self._rows.begin_gap(notes[0], reason)
        self._gaps += 1
        self._add(notes)
        return True

    def _add(self, notes: list[RawNote]) -> None:
        if len(self._recent) + len(notes) > _MAX_RECENT:
            self._recent.clear()
        for note in notes:
            self._rows.add(note)
            self._recent.add((note.position, note.digest))

    async def _unknown(self) -> list[RawNote]:
        """Return the first notes of the stream that are not archived, none if all are."""
        top = await self._log.last()
        if top == self._behind:
            return []
        after = ORIGIN
        while notes := await self._log.read(after):
            archived = await self._archived(notes)
            for number, note in enumerate(notes):
                if note.position not in archived and (note.position, note.digest) not in self._recent:
                    self._behind = None
                    return notes[number:]
            after = notes[-1].position
        self._behind = top
        return []

    async def _archived(self, notes: list[RawNote]) -> set[Position]:
        """Return the positions of the notes that are in the database, and of those that are never written to it."""
        found = [(note, kind_and_key) for note in notes if (kind_and_key := described(note)) is not None]
        unknown = {note.position for note in notes} - {note.position for note, _ in found}
        if not found:
            return unknown
        times_ms = [int(note.fields.get(b"t", b"0")) for note, _ in found]
        keys, kinds = [key for _, (_, key) in found], sorted({int(kind) for _, (kind, _) in found})
        rows = await self._ask(_ARCHIVED, keys, kinds, min(times_ms), max(times_ms), NOTES)
        archived = {(Position(row["epoch"], row["seq"]), row["body"]) for row in rows}
        return unknown | {note.position for note, _ in found if (note.position, note.fields.get(b"b", b"")) in archived}
