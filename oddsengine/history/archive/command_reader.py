"""Reads the log of commands for the archive, and notices where Redis has lost some of it.

The log of a Redis that has lost its data begins again with lower numbers, or has other entries at the same ones. The chain of
digests tells: what does not follow the last entry that was archived is read again from the first entry that was not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.streams.chain.links import find_digest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from oddsengine.history.rows.command_rows import CommandRows
    from oddsengine.streams.commands.log import CommandLog

    #: finds out which digests are those of commands in the database
    FindArchived = Callable[[list[bytes]], Awaitable[set[bytes]]]

_BLOCK_MS: Final = 500
_log = structlog.get_logger(__name__)


class CommandReader:
    """Adds the entries of the log to the rows, in order and each once.

    Args:
        log: the log.
        rows: the rows to add to.
        find_archived: finds out which entries are in the database.
    """

    def __init__(self, log: CommandLog, rows: CommandRows, find_archived: FindArchived) -> None:
        self._log = log
        self._rows = rows
        self._find_archived = find_archived
        self._gaps = 0

    def take_gaps(self) -> int:
        """Return how many gaps there were since the last call."""
        gaps, self._gaps = self._gaps, 0
        return gaps

    async def step(self, now_ms: int) -> bool:
        """Read what comes next, waiting for it a moment. Return False if the log has lost its end and nothing has followed yet.

        Args:
            now_ms: Unix milliseconds, for entries that do not say when they were made.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        rows = self._rows
        entries = await self._log.read_raw(rows.after, _BLOCK_MS)
        if entries:
            is_lost = not rows.can_follow(*entries[0])
        else:
            is_lost = (
                rows.after > 0 and not rows.has_begun_again and await self._log.digest_at(rows.after) != rows.position.digest
            )
        if is_lost:
            first = await self._first_unknown()
            if first is None:
                return False
            _log.error("history has a gap", shard="commands", error="Redis has lost entries of the log of commands")
            rows.begin_again(first)
            self._gaps += 1
            return True
        for seq, fields in entries:
            rows.add(seq, fields, now_ms)
        return True

    async def _first_unknown(self) -> int | None:
        """Return the number of the first entry of the log that is not archived, None if all are."""
        after = 0
        while entries := await self._log.read_raw(after, 1):
            digests = [find_digest(fields) for _, fields in entries]
            archived = await self._find_archived(digests) | self._rows.recent
            for (seq, _), digest in zip(entries, digests, strict=True):
                if digest not in archived:
                    return seq
            after = entries[-1][0]
        return None
