"""The history of commands: their steps, by whom and when, as they were archived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from oddsengine.commands.command import Command
from oddsengine.common.decoding import DECODING_ERRORS

if TYPE_CHECKING:
    from oddsengine.history.questions.pool import HistoryPool

_STEPS: Final = """
    SELECT seq, at_ms, author, confirmed_by, lifted_by, sealed FROM commands
    WHERE at_ms BETWEEN $1 AND $2 AND (at_ms, seq) > ($3, $4) AND id IS NOT NULL{of_author}
    ORDER BY at_ms, seq LIMIT $5
"""
_BY_TIME: Final = _STEPS.format(of_author="")
_BY_AUTHOR: Final = _STEPS.format(of_author=" AND author = $6")
_decode: Final = msgspec.msgpack.Decoder(Command).decode


class Step(NamedTuple):
    """A step of a command's life, and the command after it; people have the names that they have in the history."""

    place: tuple[int, int]
    command: Command

    @property
    def at_ms(self) -> int:
        """The time of it, Unix milliseconds."""
        return self.place[0]


class CommandQuestions:
    """Asks the history about commands.

    Args:
        pool: connections to it.
    """

    def __init__(self, pool: HistoryPool) -> None:
        self._pool = pool

    async def steps(self, from_ms: int, to_ms: int, author: str | None, after: tuple[int, int], limit: int) -> list[Step]:
        """Return the steps of a time, in order.

        Args:
            from_ms: the first time, Unix milliseconds.
            to_ms: the last.
            author: only those of commands of this author; None for all.
            after: time and number of the step before the first one.
            limit: how many at most.

        Raises:
            Unavailable: if the history can't be asked.
        """
        narrowed = () if author is None else (author,)
        async with self._pool.connection() as (connection, _):
            statement = _BY_TIME if author is None else _BY_AUTHOR
            rows = await connection.fetch(statement, from_ms, to_ms, *after, limit, *narrowed)
        steps: list[Step] = []
        for row in rows:
            try:
                sealed = _decode(row["sealed"])
            except DECODING_ERRORS:
                continue
            people = {"author": row["author"], "confirmed_by": row["confirmed_by"], "lifted_by": row["lifted_by"]}
            steps.append(Step((row["at_ms"], row["seq"]), msgspec.structs.replace(sealed, **people)))
        return steps
