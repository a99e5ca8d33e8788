"""Turns the entries of the log of commands into rows. Names of people are in columns of their own (`streams.chain.sealing`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from oddsengine.commands.command import Command
from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.history.rows.tables import NOTHING, GapRow, ShardPosition
from oddsengine.streams.chain.links import find_digest
from oddsengine.streams.chain.sealing import RELOADED, seal

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The stream's name among positions, and its number where shards have theirs.
STREAM: Final = "commands"
NUMBER: Final = -1
_COMMAND, _SALT = b"c", b"s"
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
        position: how far its history reaches in the database.
    """

    def __init__(self, position: ShardPosition = NOTHING) -> None:
        self.position = position
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

    def add(self, seq: int, fields: Mapping[bytes, bytes], now_ms: int) -> None:
        """Add an entry.

        Args:
            seq: its number.
            fields: its fields.
            now_ms: Unix milliseconds, for entries that do not say when they were made.
        """
        last, digest, salt = self.position, find_digest(fields), fields.get(_SALT, b"")
        row = CommandRow(seq, now_ms, None, None, None, None, None, b"", digest, RELOADED)
        if _COMMAND in fields:
            try:
                command = _decode(fields[_COMMAND])
            except DECODING_ERRORS:
                row = row._replace(sealed=fields[_COMMAND])
            else:
                at_ms = max(command.created_ms, command.confirmed_ms or 0, command.lifted_ms or 0)
                people = (command.author, command.confirmed_by, command.lifted_by)
                row = CommandRow(seq, at_ms, command.id, command.action, *people, salt, digest, seal(command, salt))
        if seq != last.seq + 1 and last != NOTHING:
            gap = (0, last.seq, last.at_ms, 0, seq, row.at_ms, digest, row.at_ms, last.number, "trimmed")
            self._gaps.append(GapRow(NUMBER, *gap))
        self._rows.append(row)
        self.position = ShardPosition(0, seq, digest, row.at_ms, last.number + 1, b"")
