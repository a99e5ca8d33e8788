"""The board in Redis: one hash, of which each process writes what it knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog

from oddsengine.streams.keys import floor_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis

#: The field of what the engine that owns the first shard knows.
ENGINE: Final = "engine"
_FEED: Final = "feed:"
#: A board that nobody writes any more is deleted.
_EXPIRES_S: Final = 3600
_log = structlog.get_logger(__name__)


def feed_field(feed: str) -> str:
    """Return the field of a feed, which the process that is connected to it writes."""
    return _FEED + feed


class FloorBoard:
    """The board of an installation.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
    """

    def __init__(self, redis: Redis, namespace: str) -> None:
        self._redis = redis
        self._key = floor_key(namespace)

    async def write(self, fields: Mapping[str, bytes]) -> None:
        """Write fields, each a JSON object. Raises RedisError or OSError if Redis does not answer."""
        mapping: dict[Any, Any] = dict(fields)
        await self._redis.hset(self._key, mapping=mapping)
        await self._redis.expire(self._key, _EXPIRES_S)

    async def read(self) -> dict[str, bytes]:
        """Read all fields. Raises RedisError or OSError if Redis does not answer."""
        stored: Any = await self._redis.hgetall(self._key)
        return {field.decode(errors="replace"): value for field, value in stored.items()}


def decode_field(field: str, value: bytes) -> dict[str, Any] | None:
    """Decode a field. Return None if it can't be read."""
    try:
        decoded = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        _log.error("reported state unreadable", field=field, error=str(error))
        return None
    return decoded if isinstance(decoded, dict) else None
