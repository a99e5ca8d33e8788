"""The stream of notes of an installation. What nobody has archived is dropped once it is more than `NOTES_BYTES`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec

from oddsengine.streams.clients.shared_reader import entries_of
from oddsengine.streams.keys import notes_key
from oddsengine.streams.lua import load_script
from oddsengine.streams.notes.raw_note import RawNote
from oddsengine.streams.positions import Position, parse_stream_id
from oddsengine.streams.snapshots.stored import read_top

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

NoteKind = Literal["explanation", "feed", "config"]
#: How much is kept, about, and how many notes at most.
NOTES_BYTES: Final = 32_000_000
_MAX_NOTES: Final = 20_000
_MIN_NOTES: Final = 100
#: What a note takes beside its body.
_NOTE_BYTES: Final = 100
_READ: Final = 500
#: Lua takes some thousands of arguments at most, and keeps everybody else waiting meanwhile.
_WRITTEN_AT_ONCE: Final = 100


class Explanation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The explanation of the price of a market: its last change at this position. `answer` is as the engine's HTTP API has it."""

    epoch: int
    seq: int
    answer: dict[str, Any]


class Note(NamedTuple):
    """A note: of what kind, about what (a market, a feed, a process), when (Unix milliseconds), and what.

    The body of an explanation is an `Explanation` in MessagePack, any other is JSON.
    """

    kind: NoteKind
    name: str
    at_ms: int
    body: bytes


class NoteLog:
    """The notes of an installation.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
    """

    def __init__(self, redis: Redis, namespace: str) -> None:
        self._redis = redis
        self._key = notes_key(namespace)
        self._script = redis.register_script(load_script("logs/write_notes"))
        #: the size of notes lately
        self._mean_bytes = 0.0

    async def write(self, notes: Sequence[Note]) -> None:
        """Write notes. Raises RedisError or OSError if Redis does not answer."""
        for start in range(0, len(notes), _WRITTEN_AT_ONCE):
            arguments: list[bytes | str | int] = []
            for note in notes[start : start + _WRITTEN_AT_ONCE]:
                arguments += (note.kind, note.name, note.at_ms, note.body)
                size = len(note.body) + _NOTE_BYTES
                self._mean_bytes += (size - self._mean_bytes) / _MIN_NOTES if self._mean_bytes else size
            kept = min(_MAX_NOTES, max(_MIN_NOTES, round(NOTES_BYTES / self._mean_bytes)))
            await self._script(keys=[self._key], args=[kept, *arguments])

    async def read(self, after: Position, block_ms: int = 0) -> list[RawNote]:
        """Return the notes after one, waiting for the first.

        Args:
            after: the position of that one.
            block_ms: how long to wait; 0: not at all.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        reply: Any = await self._redis.xread({self._key: after.stream_id()}, count=_READ, block=block_ms or None)
        return [RawNote(parse_stream_id(key), fields) for key, fields in entries_of(reply).get(self._key, [])]

    async def digest_at(self, position: Position) -> bytes | None:
        """Return the digest of a note, None if there is none at that position. Raises RedisError or OSError as `read`."""
        at = position.stream_id()
        found: Any = await self._redis.xrange(self._key, at, at)
        return RawNote(position, found[0][1]).digest if found else None

    async def last(self) -> Position:
        """Return the position of the last note, `ORIGIN` if there is none. Raises RedisError or OSError as `read`."""
        return await read_top(self._redis, self._key)
