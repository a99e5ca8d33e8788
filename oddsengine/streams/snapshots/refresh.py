"""Brings a stored snapshot up to the stream: from time to time, and each record once however often it has changed meanwhile.

What changed up to a position is collected, and written in pieces, each together with a later entry of the stream. Only with the
last piece does the snapshot say that it is of that position. Until then some of its records are newer than what it says, which
does no harm: they say themselves when they last changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

#: How often the snapshot is brought up to the stream.
REFRESH_S: Final = 0.5
#: How many fields are written together with an entry: some 2 milliseconds of Redis.
_PIECE_FIELDS: Final = 4000


class Piece(NamedTuple):
    """A part of a snapshot that is written together with an entry.

    Attributes:
        before: the position that the snapshot says it is of.
        after: the one that it says then.
        changed: its fields; None for those that are deleted.
    """

    before: int
    after: int
    changed: Mapping[str, bytes | None]


class SnapshotRefresh:
    """The changes that the snapshot of an epoch lacks.

    Args:
        clock: monotonic seconds.
        every_s: how often it is brought up to the stream.
    """

    def __init__(self, clock: Callable[[], float], every_s: float = REFRESH_S) -> None:
        self._clock = clock
        self._every_s = every_s
        #: the position that the stored snapshot says it is of
        self.position = 0
        #: what has changed since the refresh that is being written, or since the last one
        self._changed: dict[str, bytes | None] = {}
        #: what is not written yet of the refresh up to `_target`
        self._unwritten: dict[str, bytes | None] = {}
        self._target = 0
        self._due_s = clock() + every_s
        #: the position of the last entry, and what is written with it
        self._last = 0
        self._piece = Piece(0, 0, {})

    def piece(self, seq: int, changed: Mapping[str, bytes | None]) -> Piece:
        """Return what to write together with the entry of a position; the same when that is repeated.

        Args:
            seq: the position, which follows the last one.
            changed: the fields that its entry changes; None for those that it deletes.
        """
        if seq == self._last:
            return self._piece
        self._last = seq
        self._changed.update(changed)
        if not self._unwritten and self._target == self.position and self._clock() >= self._due_s:
            self._due_s = self._clock() + self._every_s
            self._unwritten, self._changed, self._target = self._changed, {}, seq
        written = dict(islice(self._unwritten.items(), _PIECE_FIELDS))
        if len(written) == len(self._unwritten):
            self._unwritten = {}
        else:
            for field in written:
                del self._unwritten[field]
        self._piece = Piece(self.position, self.position if self._unwritten else self._target, written)
        return self._piece

    def wrote(self) -> None:
        """Note that the last piece is written."""
        self.position = self._piece.after
