"""The positions of a bridge, in Redis: where the streams are, so that what is lost is lost with what it is about.

A position is written once the broker has acknowledged everything up to it. After a crash some messages are sent again; none is
missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import msgspec

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.streams.commands.tail import decode_position
from oddsengine.streams.connection import until_answered
from oddsengine.streams.keys import bridge_keys
from oddsengine.streams.positions import ORIGIN, Position, parse_stream_id

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from redis.asyncio import Redis

    from oddsengine.streams.commands.tail import LogPosition

_T = TypeVar("_T")
_COMMANDS: Final = "commands"
_PROFILES: Final = "{}:profiles"
_RETRY_S: Final = 0.2
#: How many members a command adds or removes at most.
_MEMBERS: Final = 2000


class Stored(NamedTuple):
    """The stored progress of a shard.

    Attributes:
        position: up to where it was published; `ORIGIN` if it never was.
        published: the keys that the broker has of it.
        profiles: the profiles of that position's epoch, in the order of prices; none if that is not known.
    """

    position: Position
    published: set[str]
    profiles: tuple[str, ...]


class PositionStore:
    """The positions of one bridge. Calls wait until Redis answers.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        bridge: `kafka` or `rabbitmq`.
    """

    def __init__(self, redis: Redis, namespace: str, bridge: str) -> None:
        self._redis = redis
        self._keys = bridge_keys(namespace, bridge)
        self._user = f"positions of bridge {bridge}"

    async def load(self, shard: int) -> Stored:
        """Return what is kept of a shard."""
        fields = [str(shard), _PROFILES.format(shard)]
        stored: Any = await self._until_answered(lambda: self._redis.hmget(self._keys.positions, fields))
        members: Any = await self._until_answered(lambda: self._redis.smembers(self._keys.published(shard)))
        return Stored(_position(stored[0]), {member.decode() for member in members}, _profiles(stored[1]))

    async def save_profiles(self, shard: int, profiles: Sequence[str]) -> None:
        """Note the profiles of an epoch, in the order of prices, before its first entry is noted."""
        text = msgspec.json.encode(profiles)
        await self._until_answered(lambda: self._redis.hset(self._keys.positions, _PROFILES.format(shard), text))

    async def add(self, shard: int, keys: set[str]) -> None:
        """Note keys that are about to be published."""
        await self._in_parts(self._redis.sadd, shard, keys)

    async def save(self, shard: int, position: Position, gone: set[str]) -> None:
        """Note that everything up to a position was acknowledged, also that the broker lacks keys since."""
        await self._until_answered(lambda: self._redis.hset(self._keys.positions, str(shard), position.stream_id()))
        await self._in_parts(self._redis.srem, shard, gone)

    async def load_commands(self) -> LogPosition | None:
        """Return the last entry of the log of commands that was published; None if there was none."""
        stored: Any = await self._until_answered(lambda: self._redis.hget(self._keys.positions, _COMMANDS))
        return None if stored is None else decode_position(stored.decode(errors="replace"))

    async def save_commands(self, position: LogPosition) -> None:
        """Note that everything up to an entry of the log was acknowledged."""
        await self._until_answered(lambda: self._redis.hset(self._keys.positions, _COMMANDS, position.encode()))

    async def _in_parts(self, call: Callable[..., Awaitable[Any]], shard: int, keys: set[str]) -> None:
        names = sorted(keys)
        for start in range(0, len(names), _MEMBERS):
            part = names[start : start + _MEMBERS]
            await self._until_answered(lambda part=part: call(self._keys.published(shard), *part))  # type: ignore[misc]

    async def _until_answered(self, call: Callable[[], Awaitable[_T]]) -> _T:
        return await until_answered(self._user, call, _RETRY_S)


def _profiles(stored: bytes | None) -> tuple[str, ...]:
    try:
        return () if stored is None else msgspec.json.decode(stored, type=tuple[str, ...])
    except DECODING_ERRORS:
        return ()


def _position(stored: bytes | None) -> Position:
    """Return a stored position, `ORIGIN` if it can't be used: then everything is published again."""
    try:
        return ORIGIN if stored is None else parse_stream_id(stored)
    except ValueError:
        return ORIGIN
