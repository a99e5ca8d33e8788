"""Entries of a stream of ours that something else has written: they are no sign of another owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from oddsengine.streams.keys import BATCH_FIELD

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oddsengine.streams.positions import Position

#: How many entries are looked at; where there are more, one of another owner may be among them.
_MAX_FOREIGN: Final = 1000


async def is_followed_by_foreign(redis: Redis, stream: str, position: Position) -> bool:
    """Check whether all entries after a position of a stream are foreign ones: they have no batch.

    Raises:
        RedisError, OSError: if Redis does not answer.
    """
    found: Any = await redis.xrange(stream, f"({position.stream_id()}", "+", count=_MAX_FOREIGN)
    return 0 < len(found) < _MAX_FOREIGN and not any(BATCH_FIELD in fields for _, fields in found)
