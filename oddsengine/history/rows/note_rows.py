"""Turns notes into records, in a chain of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.history.rows.shard_rows import ShardBatch
from oddsengine.history.rows.tables import NOTHING, RecordKind, RecordRow, ShardPosition, key_of, record_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.streams.positions import Position

#: What stands for a shard in records of notes.
NOTES: Final = -2
_KINDS: Final = {b"explanation": RecordKind.EXPLANATION, b"feed": RecordKind.FEED, b"config": RecordKind.CONFIG}


class NoteRows:
    """The records of notes that are not taken yet.

    Args:
        position: how far the history of notes reaches in the database.
    """

    def __init__(self, position: ShardPosition = NOTHING) -> None:
        self.position = position
        self._written = position
        self._records: list[RecordRow] = []

    def take(self) -> ShardBatch | None:
        """Return all records that were added since the last call, None if there are none."""
        if self.position == self._written:
            return None
        batch = ShardBatch(NOTES, self._written, self.position, [], [], self._records, [])
        self._written, self._records = self.position, []
        return batch

    def add(self, position: Position, fields: Mapping[bytes, bytes]) -> None:
        """Add a note. One of an unknown kind is left out."""
        number, digest = self.position.number, self.position.record_digest
        kind = _KINDS.get(fields.get(b"k", b""))
        if kind is not None:
            number += 1
            name, at_ms = fields.get(b"n", b"").decode(errors="replace"), int(fields.get(b"t", b"0"))
            row = RecordRow(at_ms, key_of(name), number, *position, NOTES, kind, b"", fields.get(b"b", b""))
            digest = record_digest(self.position.record_digest, row)
            self._records.append(row._replace(digest=digest))
        self.position = ShardPosition(*position, b"", position.epoch, number, digest)
