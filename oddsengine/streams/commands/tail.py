"""Reads all entries of the log of commands, in order, from a position that its user keeps: for those who must miss none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from oddsengine.streams.chain.links import NO_DIGEST

if TYPE_CHECKING:
    from oddsengine.streams.commands.log import CommandLog, LogEntry

#: Why entries were not read: the log keeps no more; Redis has lost some, and may have others at their numbers; the table has to
#: be read instead.
Cause = Literal["trimmed", "lost", "rewritten"]


class LogPosition(NamedTuple):
    """The last entry that was read: its number, and its digest, empty if that is not known."""

    seq: int
    digest: bytes = NO_DIGEST

    def encode(self) -> str:
        """Encode as text to be stored."""
        return f"{self.seq} {self.digest.hex()}"


def decode_position(text: str) -> LogPosition | None:
    """Decode what `encode` has returned, or only a number, as earlier releases have stored; None if it is neither."""
    seq, _, digest = text.partition(" ")
    if not (seq.isascii() and seq.isdigit()):
        return None
    try:
        return LogPosition(int(seq), bytes.fromhex(digest))
    except ValueError:
        return None


class EntriesMissing(Exception):
    """The next entry of the log does not follow the last one read.

    Args:
        cause: why.
        found: the next one; None if there is none.
    """

    def __init__(self, cause: Cause, found: LogEntry | None = None) -> None:
        self.cause = cause
        self.found = found
        super().__init__(cause)


async def read_after(log: CommandLog, position: LogPosition, block_ms: int) -> list[LogEntry]:
    """Return the entries after one, waiting for the first; none if there are none for a moment.

    Raises:
        EntriesMissing: if the next one does not follow.
        RedisError, OSError: if Redis does not answer.
    """
    seq, digest = position
    found = await log.read(seq, block_ms)
    if not found:
        # Another state of the server may end with another entry of this number.
        is_lost = await log.digest_at(seq) != digest if digest else await log.last_seq() < seq
        if seq and is_lost:
            raise EntriesMissing("lost")
        return []
    entries: list[LogEntry] = []
    for entry in found:
        cause: Cause | None = None
        if entry.seq != seq + 1:
            cause = "trimmed"
        elif entry.command is None:
            cause = "rewritten"
        elif digest and entry.digest and not entry.follows(digest):
            cause = "lost"
        if cause is not None:
            if entries:
                break
            raise EntriesMissing(cause, entry)
        entries.append(entry)
        seq, digest = entry.seq, entry.digest
    return entries
