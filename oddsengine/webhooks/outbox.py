"""The outbox: events in Redis until every endpoint has them, and what was noted, so that nothing is told twice or never."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import structlog

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.streams.keys import webhook_keys
from oddsengine.streams.lua import load_script
from oddsengine.webhooks.events import OutboxEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis.asyncio import Redis

#: How many events are kept for endpoints that do not answer.
EVENTS_KEPT: Final = 20_000
#: Lua takes some thousands of arguments at most.
_NOTES_A_CALL: Final = 500
_SEQ: Final = "seq"
_CURSOR: Final = "cursor:"
_ENTRY: Final = b"e"
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(OutboxEvent).decode
_log = structlog.get_logger(__name__)


class Note(NamedTuple):
    """Something that was seen: what it is about, what holds of it now (empty: nothing any more), and the event that says so.

    Nothing is written for what is noted already. With an empty `field` there is only an event.
    """

    field: str
    value: str
    event: OutboxEvent | None = None


class Outbox:
    """The outbox of an installation. Its methods raise RedisError or OSError if Redis does not answer.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        kept: how many events are kept.
    """

    def __init__(self, redis: Redis, namespace: str, kept: int = EVENTS_KEPT) -> None:
        self._redis = redis
        self._keys = webhook_keys(namespace)
        self._kept = kept
        self._script = redis.register_script(load_script("write_outbox"))

    async def noted(self) -> dict[str, str]:
        """Return everything that was noted, by what it is about."""
        stored: Any = await self._redis.hgetall(self._keys.state)
        return {field.decode(errors="replace"): value.decode(errors="replace") for field, value in stored.items()}

    async def write(self, notes: Iterable[Note]) -> None:
        """Write notes with their events, in order. After an error it may be called again: what is noted is not noted twice."""
        for part in _parts(list(notes)):
            arguments: list[Any] = [self._kept]
            for field, value, event in part:
                arguments += (field, value, b"" if event is None else _encode(event))
            await self._script(keys=list(self._keys), args=arguments)

    async def read(self, after: int, count: int) -> list[tuple[int, OutboxEvent | None]]:
        """Return the next events after a number, with their numbers; None for one that can't be read."""
        entries: Any = await self._redis.xrange(self._keys.outbox, min=f"({after}-0", count=count)
        return [(int(key.partition(b"-")[0]), _read(fields)) for key, fields in entries]

    async def last_seq(self) -> int:
        """Return the number of the last event that was ever written."""
        stored: Any = await self._redis.hget(self._keys.state, _SEQ)
        return int(stored) if stored is not None and stored.isdigit() else 0

    async def cursor(self, endpoint: str) -> int:
        """Return the number of the event up to which an endpoint has all. A new endpoint begins at the end."""
        stored: Any = await self._redis.hget(self._keys.state, _CURSOR + endpoint)
        last = await self.last_seq()
        if stored is not None and stored.isdigit():
            return min(int(stored), last)
        await self.save_cursor(endpoint, last)
        return last

    async def begin_at(self, endpoint: str, seq: int) -> int:
        """Return up to which event an endpoint has all; if that was lost too, note this number."""
        await self._redis.hsetnx(self._keys.state, _CURSOR + endpoint, str(seq))
        return await self.cursor(endpoint)

    async def save_cursor(self, endpoint: str, seq: int) -> None:
        """Save up to which event an endpoint has all."""
        await self._redis.hset(self._keys.state, _CURSOR + endpoint, str(seq))

    async def forget_others(self, endpoints: Iterable[str]) -> None:
        """Forget how far endpoints had got that are not configured any more."""
        kept = {_CURSOR + endpoint for endpoint in endpoints}
        gone = [field for field in await self.noted() if field.startswith(_CURSOR) and field not in kept]
        if gone:
            await self._redis.hdel(self._keys.state, *gone)


def _parts(notes: list[Note]) -> Iterable[list[Note]]:
    return (notes[start : start + _NOTES_A_CALL] for start in range(0, len(notes), _NOTES_A_CALL))


def _read(fields: dict[bytes, bytes]) -> OutboxEvent | None:
    try:
        return _decode(fields.get(_ENTRY, b""))
    except DECODING_ERRORS as error:
        _log.error("event of the outbox unreadable", error=str(error))
        return None
