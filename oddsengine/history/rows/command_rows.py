"""Turns the entries of the log of commands into rows. Names of people are in columns of their own (`streams.chain.sealing`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from oddsengine.commands.command import Command
from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.history.rows.tables import NOTHING, GapRow, ShardPosition
from oddsengine.streams.chain.links import digest_of, find_digest
from oddsengine.streams.chain.sealing import RELOADED, seal

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The stream's name among positions, and its number where shards have theirs.
STREAM: Final = "commands"
NUMBER: Final = -1
#: Why entries are missing: the log keeps no more, or Redis has lost them.
TRIMMED: Final = "trimmed"
LOST: Final = "lost"
_COMMAND, _SALT = b"c", b"s"
_MAX_RECENT: Final = 10_000
_decode: Final = msgspec.msgpack.Decoder(Command).decode


class CommandRow(NamedTuple):
    """An entry of the log: a command after a step of its life. Without an id, the table of all commands had to be read again."""

    seq: int
    at_ms: int
    id: str | None
    action: str | None
    author: str | None
    confirmed_by: str | None
    lifted_by: str | None
    salt: bytes
    digest: bytes
    sealed: bytes


class CommandBatch(NamedTuple):
    """Rows to be written together, with the positions before and after them."""

    before: ShardPosition
    after: ShardPosition
    rows: list[CommandRow]
    gaps: list[GapRow]


class CommandRows:
    """The rows of the log that are not taken yet.

    Args:
        position: how far its history reaches in the database. Its `epoch` is by how much numbers of the history are above those
            of the log, which begins again with low ones where Redis has lost it.
    """

    def __init__(self, position: ShardPosition = NOTHING) -> None:
        self.position = position
        #: the number in the log of the last entry
        self.after = position.seq - position.epoch
        #: digests of entries that may not be in the database yet
        self.recent: set[bytes] = set()
        self._why = TRIMMED
        self._written = position
        self._rows: list[CommandRow] = []
        self._gaps: list[GapRow] = []

    def take(self) -> CommandBatch | None:
        """Return all rows that were added since the last call, None if there are none."""
        if not self._rows:
            return None
        batch = CommandBatch(self._written, self.position, self._rows, self._gaps)
        self._written, self._rows, self._gaps = self.position, [], []
        return batch

    @property
    def has_begun_again(self) -> bool:
        """Whether the next entry is the first of a log that does not continue what was archived."""
        return self._why == LOST

    def can_follow(self, number: int, fields: Mapping[bytes, bytes]) -> bool:
        """Check whether an entry of the log may come after the last one. Entries between them may be missing."""
        last, digest = self.position, find_digest(fields)
        if self.has_begun_again or last == NOTHING or number != self.after + 1 or not digest or not last.digest:
            return True
        return digest == digest_of(last.digest, _sealed(fields))

    def begin_again(self, first: int) -> None:
        """Continue with an entry of a log that does not follow what was archived. There is a gap before it.

        Args:
            first: its number in the log.
        """
        self.after = first - 1
        # One number is left out, so that the entry is never taken for what followed the last one.
        self.position = self.position._replace(epoch=self.position.seq + 2 - first)
        self._why = LOST

    def add(self, number: int, fields: Mapping[bytes, bytes], now_ms: int) -> None:
        """Add an entry.

        Args:
            number: its number in the log.
            fields: its fields.
            now_ms: Unix milliseconds, for entries that do not say when they were made.
        """
        last, digest, salt = self.position, find_digest(fields), fields.get(_SALT, b"")
        seq = number + last.epoch
        row = CommandRow(seq, now_ms, None, None, None, None, None, b"", digest, RELOADED)
        if _COMMAND in fields:
            try:
                command = _decode(fields[_COMMAND])
            except DECODING_ERRORS:
                row = row._replace(sealed=fields[_COMMAND])
            else:
                people = (command.author, command.confirmed_by, command.lifted_by)
                row = CommandRow(seq, time_of(command), command.id, command.action, *people, salt, digest, seal(command, salt))
        if seq != last.seq + 1 and last != NOTHING:
            gap = (0, last.seq, last.at_ms, 0, seq, row.at_ms, digest, row.at_ms, last.number, self._why)
            self._gaps.append(GapRow(NUMBER, *gap))
            self._why = TRIMMED
        self._rows.append(row)
        if len(self.recent) >= _MAX_RECENT:
            self.recent.clear()
        self.recent.add(digest)
        self.after = number
        self.position = ShardPosition(last.epoch, seq, digest, row.at_ms, last.number + 1, b"")


def time_of(command: Command) -> int:
    """Return when the last step of the life of a command was made."""
    return max(command.created_ms, command.confirmed_ms or 0, command.lifted_ms or 0)


def _sealed(fields: Mapping[bytes, bytes]) -> bytes:
    """Return what the digest of an entry is of."""
    if _COMMAND not in fields:
        return RELOADED
    try:
        return seal(_decode(fields[_COMMAND]), fields.get(_SALT, b""))
    except DECODING_ERRORS:
        return fields[_COMMAND]
