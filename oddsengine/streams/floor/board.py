"""The board in Redis: one hash, of which each process writes what it knows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog

from oddsengine.streams.keys import floor_key
from oddsengine.streams.lua import load_script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from redis.asyncio import Redis

#: The field of what the engine that owns the first shard knows.
ENGINE: Final = "engine"
_FEED: Final = "feed:"
#: Before the name of a field: when it was written.
_AT: Final = b"at:"
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
        self._key = floor_key(namespace)
        self._run = redis.register_script(load_script("board"))

    async def write(self, fields: Mapping[str, bytes]) -> None:
        """Write fields, each a JSON object. Raises RedisError or OSError if Redis does not answer."""
        await self._run(keys=[self._key], args=[_EXPIRES_S, *(part for field in fields.items() for part in field)])

    async def read(self) -> dict[str, bytes]:
        """Read all fields. Raises RedisError or OSError if Redis does not answer."""
        return {field: value for field, (value, _) in (await self.read_aged()).items()}

    async def read_aged(self) -> dict[str, tuple[bytes, float]]:
        """Read all fields, each with how many seconds ago it was written. Raises RedisError or OSError.

        Of a field that was written by an earlier version the age is not known: it is infinite.
        """
        now_ms, parts = await self._run(keys=[self._key])
        stored = dict(zip(parts[::2], parts[1::2], strict=True))
        ages = {
            field.removeprefix(_AT): (int(now_ms) - int(value)) / 1000 for field, value in stored.items() if field.startswith(_AT)
        }
        return {
            field.decode(errors="replace"): (value, ages.get(field, math.inf))
            for field, value in stored.items()
            if not field.startswith(_AT)
        }


def decode_field(field: str, value: bytes) -> dict[str, Any] | None:
    """Decode a field. Return None if it can't be read."""
    try:
        decoded = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        _log.error("reported state unreadable", field=field, error=str(error))
        return None
    return decoded if isinstance(decoded, dict) else None
