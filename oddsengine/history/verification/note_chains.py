"""The chains of what the archiver has written down, of commands and of checkpoints. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from oddsengine.commands.command import Command
from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.history.forgetting import FORGOTTEN
from oddsengine.history.rows.command_rows import time_of
from oddsengine.history.rows.shard_rows import BEGINNING
from oddsengine.history.rows.tables import GapBody, RecordKind, RecordRow, record_digest
from oddsengine.history.verification.problems import Problem
from oddsengine.streams.chain.links import digest_of
from oddsengine.streams.chain.sealing import RELOADED, commitment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oddsengine.history.rows.command_rows import CommandRow
    from oddsengine.history.rows.tables import GapRow, ShardPosition
    from oddsengine.history.verification.entry_chain import Anchor

_decode_command: Final = msgspec.msgpack.Decoder(Command).decode
_decode_gap: Final = msgspec.msgpack.Decoder(GapBody).decode


class RecordChain:
    """Checks the records of a shard one after another.

    Args:
        shard: the shard.
        gaps: the gaps of the shard, by the number of the record that says the same.
        anchors: what is known of numbers from elsewhere.
        dropped: by the number before records that are not kept any more, that of the last of these and its digest.
        name: what the chain is called, if it is not one of a shard.
    """

    def __init__(
        self,
        shard: int,
        gaps: Mapping[int, GapRow],
        anchors: Mapping[int, Anchor],
        dropped: Mapping[int, tuple[int, bytes]],
        name: str = "",
    ) -> None:
        self._dropped = dropped
        self._chain = name or f"records of shard {shard}"
        self._gaps = dict(gaps)
        self._anchors = anchors
        #: the last gap after which the state is not known yet
        self._open: GapRow | None = None
        self.number = 0
        self.digest: bytes | None = b""
        #: what the records say of gaps, by the position of the entry after each
        self.gaps: dict[tuple[int, int], GapBody] = {}

    def check(self, rows: Iterable[RecordRow]) -> Problem | None:
        """Check the next records, and return the first problem. `digest` is None where what the next one follows is not known."""
        for row in rows:
            self._skip_dropped(row.number)
            if self.digest is not None and row.number != self.number + 1:
                what = (
                    "added: there is one of this number" if row.number <= self.number else f"removed: what follows {self.number}"
                )
                return self._problem(row, what)
            if self.digest is not None and record_digest(self.digest, row) != row.digest:
                return self._problem(row, "changed: it does not lead to its digest")
            anchor = self._anchors.get(row.number)
            if anchor is not None and anchor.digest != row.digest:
                return self._problem(row, f"computed anew: {anchor.source} has another digest of it")
            if row.kind == RecordKind.GAP and not self._has_gap(row):
                return self._problem(row, "the row of `gaps` that says the same is changed or removed")
            if row.kind == RecordKind.PROFILES and self._open is not None:
                gap, self._open = self._open, None
                if gap.known_ms != row.at_ms:
                    return self._problem(row, "the row of `gaps` that ends here has another `known_ms`")
            self.number, self.digest = row.number, row.digest
        return None

    def _skip_dropped(self, number: int) -> None:
        """Continue after the records that are not kept any more, up to those before a number."""
        while self.digest is not None and number > self.number + 1:
            last, digest = self._dropped.get(self.number, (0, b""))
            if not self.number < last < number:
                return
            self.number, self.digest, self._open = last, digest, None

    def _has_gap(self, row: RecordRow) -> bool:
        """Check that a row of `gaps` says what a record says. The state is known again with the next record of profiles."""
        before, gap = self._open, self._gaps.pop(row.number, None)
        try:
            body = _decode_gap(row.body)
        except DECODING_ERRORS:
            return False
        self.gaps[body.until_epoch, body.until_seq] = body
        if gap is None or body[:5] != (*gap[1:3], *gap[4:6], gap.until_digest) or body.reason != gap.reason:
            return False
        if before is not None and before.known_ms is not None:
            return False
        if row.shard >= 0:
            self._open = gap
            is_beginning = gap.reason == BEGINNING and not gap.after_ms
            # Earlier releases have noted the beginning at the time 0.
            return row.at_ms == gap.after_ms or (is_beginning and row.at_ms == gap.until_ms)
        return gap.known_ms == gap.until_ms

    def _problem(self, row: RecordRow, what: str) -> Problem:
        return Problem(self._chain, f"record {row.number}", row.at_ms, what)

    def end(self, number: int, digest: bytes, *, is_whole: bool) -> Problem | None:
        """Check that the chain ends where the archiver has ended, and not before what was signed; and that gaps have records.

        Args:
            number: where the archiver has ended.
            digest: the digest of that record.
            is_whole: whether all records were checked, so that gaps without one are known.
        """
        if self.number < number:
            return Problem(self._chain, f"record {number}", 0, f"removed: the end of the chain, after {self.number}")
        if self.number > number:
            return Problem(self._chain, f"record {self.number}", 0, f"added: the chain ends with {number}")
        if self.digest != digest and self.digest is not None:
            return Problem(self._chain, f"record {number}", 0, "computed anew: the archiver has another digest of it")
        if (signed := max(self._anchors, default=0)) > number:
            what = f"removed: {self._anchors[signed].source} was signed after it"
            return Problem(self._chain, f"record {signed}", 0, what)
        return self._find_wrong_gap() if is_whole else None

    def _find_wrong_gap(self) -> Problem | None:
        if (gap := self._open) is not None and gap.known_ms is not None:
            what = "changed: no record says that it has ended"
            return Problem(self._chain, f"gap before {gap.until_epoch}-{gap.until_seq}", gap.until_ms, what)
        for gap in self._gaps.values():
            return Problem(self._chain, f"gap before {gap.until_epoch}-{gap.until_seq}", gap.until_ms, "added: no record says so")
        return None


class CommandChain:
    """Checks the entries of the log of commands one after another.

    Args:
        gaps: the gaps of the log, by the number of the entry after each.
        anchors: what is known of numbers from elsewhere.
        numbers: of these, how many rows there were up to there.
    """

    def __init__(self, gaps: Mapping[int, GapRow], anchors: Mapping[int, Anchor], numbers: Mapping[int, int]) -> None:
        self._gaps = dict(gaps)
        self._anchors = anchors
        self._numbers = numbers
        self._met: set[int] = set()
        self.seq = 0
        self._at_ms = 0
        self._rows = 0
        self._digest: bytes | None = None

    def check(self, rows: Iterable[CommandRow]) -> Problem | None:
        """Check the next entries, and return the first problem."""
        for row in rows:
            gap = self._gaps.pop(row.seq, None)
            if self._digest is None and gap is None:
                previous = b"" if row.seq == 1 else None
            elif row.seq == self.seq + 1 and gap is None:
                previous = self._digest
            elif gap is None:
                return _command_problem(row, f"removed: what follows {self.seq}")
            elif (*gap[2:4], *gap[6:10]) != (self.seq, self._at_ms, row.at_ms, row.digest, row.at_ms, self._rows):
                return _command_problem(row, "changed: the gap before it is not where its row of `gaps` says")
            else:
                previous = None
            self._rows += 1
            if what := self._what_is_wrong(row, previous):
                return _command_problem(row, what)
            self.seq, self._at_ms, self._digest = row.seq, row.at_ms, row.digest
        return None

    def _what_is_wrong(self, row: CommandRow, previous: bytes | None) -> str:
        """Return what is wrong with an entry; empty if nothing is."""
        if previous is not None and row.digest and digest_of(previous, row.sealed) != row.digest:
            return "changed: it does not lead to its digest"
        anchor, number = self._anchors.get(row.seq), self._numbers.get(row.seq, self._rows)
        if (what := _check_columns(row)) or anchor is None:
            return what
        self._met.add(row.seq)
        if anchor.digest != row.digest:
            return f"computed anew: {anchor.source} has another digest of it"
        if number != self._rows:
            return f"removed or added: {anchor.source} was signed after {number} rows, and there are {self._rows} up to here"
        return ""

    def end(self, position: ShardPosition) -> Problem | None:
        """Check that the chain ends where the archiver has ended, and that nothing that was signed is missing."""
        seq = position.seq
        if self.seq < seq:
            return Problem("commands", f"entry {seq}", 0, f"removed: the end of the log, after {self.seq}")
        if self.seq > seq:
            return Problem("commands", f"entry {self.seq}", 0, f"added: the log ends with {seq}")
        if self._digest is not None and self._digest != position.digest:
            return Problem("commands", f"entry {seq}", 0, "computed anew: the archiver has another digest of it")
        for missing in sorted(self._anchors.keys() - self._met):
            return Problem("commands", f"entry {missing}", 0, f"removed: {self._anchors[missing].source} was signed after it")
        return self._find_wrong_count(seq, position.number) or self._find_wrong_end(position)

    def _find_wrong_end(self, position: ShardPosition) -> Problem | None:
        if self._at_ms == position.at_ms:
            return None
        return Problem("commands", f"entry {position.seq}", self._at_ms, "the row of `positions` that names it has another time")

    def _find_wrong_count(self, seq: int, number: int) -> Problem | None:
        if self._rows != number:
            what = f"removed or added: the archiver has written {number} rows, and there are {self._rows}"
            return Problem("commands", f"entry {seq}", 0, what)
        for gap in self._gaps.values():
            return Problem("commands", f"gap before {gap.until_seq}", gap.until_ms, "added: nothing is missing there")
        return None


def _command_problem(row: CommandRow, what: str) -> Problem:
    return Problem("commands", f"entry {row.seq}", row.at_ms, what)


def _check_columns(row: CommandRow) -> str:
    """Return what is wrong with the columns of a command; empty if nothing is. People that are forgotten are not compared."""
    columns = (row.id, row.action, row.author, row.confirmed_by, row.lifted_by)
    if row.sealed == RELOADED:
        return "" if columns == (None,) * len(columns) else "changed: its columns are those of a command, which it is not"
    try:
        command = _decode_command(row.sealed)
    except DECODING_ERRORS:
        return "" if row.id is None else "changed: it can't be read"
    people = (row.author, row.confirmed_by, row.lifted_by)
    sealed = (command.author, command.confirmed_by, command.lifted_by)
    if (row.id, row.action, row.at_ms) != (command.id, command.action, time_of(command)):
        return "changed: its columns do not say what it says"
    if [name is None for name in people] != [name is None for name in sealed]:
        return "changed: somebody in it was added or removed"
    if row.salt:
        known = [None if name is None else commitment(name, row.salt) for name in people]
        return "" if known == [*sealed] else "changed: somebody in it is not who it was"
    is_forgotten = any(name is not None and name.startswith(FORGOTTEN) for name in people)
    return "" if is_forgotten or not row.digest else "changed: its salt was removed, and nobody in it is forgotten"
