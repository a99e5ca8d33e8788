"""The stream of notes of an installation. What nobody has archived is dropped once it is more than `NOTES_BYTES`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec

from oddsengine.streams.clients.shared_reader import entries_of
from oddsengine.streams.keys import notes_key
from oddsengine.streams.positions import Position, parse_stream_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis.asyncio import Redis

NoteKind = Literal["explanation", "feed", "config"]
#: How much is kept, about, and how many notes at most.
NOTES_BYTES: Final = 32_000_000
_MOST: Final = 20_000
_LEAST: Final = 100
#: What a note takes beside its body.
_NOTE_BYTES: Final = 100
_READ: Final = 500


class Explanation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What led to the price of a market: its last change at this position. `answer` is as the engine's HTTP API has it."""

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
        #: the size of notes lately
        self._mean_bytes = 0.0

    async def write(self, notes: Iterable[Note]) -> None:
        """Write notes. Raises RedisError or OSError if Redis does not answer."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for note in notes:
                fields: Any = {b"k": note.kind, b"n": note.name, b"t": note.at_ms, b"b": note.body}
                size = len(note.body) + _NOTE_BYTES
                self._mean_bytes += (size - self._mean_bytes) / _LEAST if self._mean_bytes else size
                kept = min(_MOST, max(_LEAST, round(NOTES_BYTES / self._mean_bytes)))
                pipe.xadd(self._key, fields, maxlen=kept, approximate=True)
            await pipe.execute()

    async def read(self, after: Position, block_ms: int) -> list[tuple[Position, dict[bytes, bytes]]]:
        """Return the fields of the notes after one, waiting for the first.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        reply: Any = await self._redis.xread({self._key: after.stream_id()}, count=_READ, block=block_ms)
        return [(parse_stream_id(key), fields) for key, fields in entries_of(reply).get(self._key, [])]
