"""The stream of notes of an installation. What nobody has archived within some minutes is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from oddsengine.streams.keys import notes_key
from oddsengine.streams.positions import Position, parse_stream_id

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis.asyncio import Redis

NoteKind = Literal["explanation", "feed", "config"]
#: How many notes are kept, about: an explanation has some kB.
NOTES_KEPT: Final = 5000
_READ: Final = 500


class Note(NamedTuple):
    """A note: of what kind, about what (a market, a feed, a process), when (Unix milliseconds), and JSON."""

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

    async def write(self, notes: Iterable[Note]) -> None:
        """Write notes. Raises RedisError or OSError if Redis does not answer."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for note in notes:
                fields: Any = {b"k": note.kind, b"n": note.name, b"t": note.at_ms, b"b": note.body}
                pipe.xadd(self._key, fields, maxlen=NOTES_KEPT, approximate=True)
            await pipe.execute()

    async def read(self, after: Position, block_ms: int) -> list[tuple[Position, dict[bytes, bytes]]]:
        """Return the fields of the notes after one, waiting for the first.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        reply: Any = await self._redis.xread({self._key: after.stream_id()}, count=_READ, block=block_ms)
        if not reply:
            return []
        ((_, entries),) = reply.items() if isinstance(reply, dict) else reply
        entries = entries[0] if isinstance(reply, dict) else entries
        return [(parse_stream_id(key), fields) for key, fields in entries]
