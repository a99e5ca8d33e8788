"""The progress of one engine in the log of identities, and what it may write. Pure.

An entry is either the next one of its epoch, or opens an epoch on the last entry of another. An epoch that is opened on less than
we have read means that Redis has lost decisions: what we know of them is written again, so that events keep their ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.sourcing.matching.identities import Decisions, Identity, PossibleMatch
from oddsengine.streams.positions import ORIGIN, Position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from oddsengine.domain.ids import EventId


class LogEntry(NamedTuple):
    """An entry of the log.

    `decisions` is None if the table has to be read instead. `base` is the position on which its writer has opened an epoch, None
    if it goes on in its epoch.
    """

    at: Position
    decisions: Decisions | None
    base: Position | None = None


class StoredIdentities(NamedTuple):
    """All that is decided, and the position of the last entry that is in it; `ORIGIN` if there is none."""

    at: Position
    decisions: Decisions


class Write(NamedTuple):
    """An entry to write, if `expected` is still the position of the last one. `reloads`: who follows is to read the table."""

    expected: Position
    at: Position
    decisions: Decisions
    base: Position | None = None
    reloads: bool = False


class Reading(NamedTuple):
    """The result of reading the table: the decisions to apply, and what to write first; None if nothing was lost."""

    decisions: Decisions
    restoration: Write | None


class IdentityProgress:
    """The position of one engine in the log.

    Args:
        jump: returns by how much to advance a new epoch.
    """

    def __init__(self, jump: Callable[[], int]) -> None:
        self._jump = jump
        self.at = ORIGIN
        #: whether the epoch is ours
        self.is_open = False
        #: whether the table has to be read
        self.must_load = True
        #: the position that was left of what we have read; None if nothing was lost
        self._left: Position | None = None

    def read(self, entries: Iterable[LogEntry]) -> list[Decisions]:
        """Take entries in their order, those that were taken before included. Return the decisions to apply."""
        taken: list[Decisions] = []
        for entry in entries:
            if entry.at <= self.at or self.must_load:
                continue
            self.is_open = False
            if entry.base is not None and entry.base < self.at:
                self._lose(entry.base)
            elif entry.decisions is None or entry.at != self._next(entry):
                self.must_load = True
            else:
                self.at = entry.at
                taken.append(entry.decisions)
        return taken

    def _next(self, entry: LogEntry) -> Position | None:
        if entry.base is None:
            return Position(self.at.epoch, self.at.seq + 1)
        return entry.at if entry.base == self.at else None

    def _lose(self, left: Position) -> None:
        self._left = left if self._left is None else min(left, self._left)
        self.must_load, self.is_open = True, False

    def check(self, table: Position, log: Position) -> None:
        """Compare our position with what Redis has, after there was nothing to read."""
        if table < self.at:
            self._lose(table)
        elif table > self.at or log > table:
            self.must_load, self.is_open = True, False

    def load(
        self,
        stored: StoredIdentities,
        log: Position,
        decided: Mapping[EventId, Identity],
        possible: Mapping[EventId, PossibleMatch],
        now_ms: int,
    ) -> Reading:
        """Return what reading the table leads to. Call `loaded` once that is done.

        Args:
            stored: the table.
            log: the position of the log.
            decided: what was decided, as far as we know.
            possible: the pairs in doubt, likewise.
            now_ms: Unix milliseconds; epochs are at least that.
        """
        if stored.at < self.at:
            self._lose(stored.at)
        elif stored.at < log:
            # The table was lost, and somebody has begun another one.
            self._lose(ORIGIN)
        identities, stored_possible = stored.decisions.identities, stored.decisions.possible
        lost = (
            {} if self._left is None else {key: each for key, each in decided.items() if self._is_lost(each, identities.get(key))}
        )
        lost_possible = {} if self._left is None else {key: each for key, each in possible.items() if key not in stored_possible}
        taken = {key: each for key, each in identities.items() if key not in lost and each != decided.get(key)}
        taken_possible = {key: each for key, each in stored_possible.items() if each != possible.get(key)}
        for key in decided.keys() - identities.keys() - lost.keys():
            taken[key] = None
        for key in possible.keys() - stored_possible.keys() - lost_possible.keys():
            taken_possible[key] = None
        restoration = None
        if lost or stored.at < max(self.at, log):
            epoch = max(now_ms, self.at.epoch + 1, stored.at.epoch + 1, log.epoch + 1) + self._jump()
            restoration = Write(stored.at, Position(epoch, 0), Decisions({**lost}, {**lost_possible}), stored.at, reloads=True)
        return Reading(Decisions(taken, taken_possible, stored.decisions.obeyed), restoration)

    def _is_lost(self, known: Identity, stored: Identity | None) -> bool:
        """Check whether what we know of an event holds against the table: what was published first does."""
        return stored is None or (self._left == ORIGIN and known.decided_ms < stored.decided_ms)

    def loaded(self, at: Position) -> None:
        """Note that the table was read, and what was lost was written again."""
        self.at, self.must_load, self._left, self.is_open = at, False, None, False

    def opening(self, now_ms: int) -> Write:
        """Return the entry that opens an epoch of ours, on everything that we have read."""
        return Write(self.at, Position(max(now_ms, self.at.epoch + 1) + self._jump(), 0), Decisions(), self.at)

    def following(self, decisions: Decisions) -> Write:
        """Return the next entry of our epoch."""
        return Write(self.at, Position(self.at.epoch, self.at.seq + 1), decisions)

    def written(self, write: Write) -> bool:
        """Note that a write was accepted. Return whether its decisions are still to be applied."""
        if self.at >= write.at:
            return False  # we have read it meanwhile
        self.at = write.at
        self.is_open = True
        return True
