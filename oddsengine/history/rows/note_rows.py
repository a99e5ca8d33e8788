"""Turns notes into records, in a chain of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from oddsengine.history.rows.shard_rows import ShardBatch
from oddsengine.history.rows.tables import NOTHING, GapBody, GapRow, RecordKind, RecordRow, ShardPosition, key_of, record_digest
from oddsengine.streams.positions import Position

if TYPE_CHECKING:
    from oddsengine.streams.notes.raw_note import RawNote

#: What stands for a shard in records of notes, and of the gaps between them.
NOTES: Final = -2
_KINDS: Final = {b"explanation": RecordKind.EXPLANATION, b"feed": RecordKind.FEED, b"config": RecordKind.CONFIG}
_encode: Final = msgspec.msgpack.Encoder().encode


class NoteRows:
    """The records of notes that are not taken yet.

    Args:
        position: how far the history of notes reaches in the database. Its digest is that of the last note in its stream.
    """

    def __init__(self, position: ShardPosition = NOTHING) -> None:
        self.position = position
        self._written = position
        self._records: list[RecordRow] = []
        self._gaps: list[GapRow] = []

    @property
    def last(self) -> Position:
        """The position of the last note in its stream."""
        return Position(self.position.epoch, self.position.seq)

    def take(self) -> ShardBatch | None:
        """Return all records that were added since the last call, None if there are none."""
        if self.position == self._written:
            return None
        batch = ShardBatch(NOTES, self._written, self.position, [], [], self._records, self._gaps)
        self._written, self._records, self._gaps = self.position, [], []
        return batch

    def begin_gap(self, first: RawNote, reason: str) -> None:
        """Note that notes are missing before one. Its limits are numbers of records, since those of the stream may come again."""
        number, at_ms = self.position.number, _time_of(first)
        body = GapBody(0, number, 0, number + 1, b"", b"", reason)
        self._add(first.position, RecordKind.GAP, at_ms, NOTES, _encode(body))
        self._gaps.append(GapRow(NOTES, 0, number, self.position.at_ms, 0, number + 1, at_ms, b"", at_ms, number + 1, reason))

    def add(self, note: RawNote) -> None:
        """Add a note. One of an unknown kind is left out."""
        found, at_ms = described(note), _time_of(note)
        if found is not None:
            kind, key = found
            self._add(note.position, kind, at_ms, key, note.fields.get(b"b", b""))
        last = self.position
        self.position = ShardPosition(*note.position, note.digest, at_ms, last.number, last.record_digest)

    def _add(self, position: Position, kind: RecordKind, at_ms: int, key: int, body: bytes) -> None:
        last = self.position
        row = RecordRow(at_ms, key, last.number + 1, *position, NOTES, kind, b"", body)
        digest = record_digest(last.record_digest, row)
        self._records.append(row._replace(digest=digest))
        self.position = last._replace(number=last.number + 1, record_digest=digest)


def described(note: RawNote) -> tuple[RecordKind, int] | None:
    """Return what kind of record a note becomes, and its key; None if it is of an unknown kind."""
    kind = _KINDS.get(note.fields.get(b"k", b""))
    return None if kind is None else (kind, key_of(note.fields.get(b"n", b"").decode(errors="replace")))


def _time_of(note: RawNote) -> int:
    return int(note.fields.get(b"t", b"0"))
