"""Decisions about events in Redis: a table of all identities, and the log of decisions, in order. One call writes both.

Who writes names the last entry that it has read. So the log is one sequence of decisions, each made with those before it in mind,
whoever takes itself for the one to decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.domain.ids import EventId
from oddsengine.sourcing.matching.identities import Decisions, Identity, PossibleMatch
from oddsengine.streams.clients.shared_reader import entries_of
from oddsengine.streams.identities.progress import LogEntry, StoredIdentities
from oddsengine.streams.keys import identity_keys
from oddsengine.streams.lua import load_script
from oddsengine.streams.positions import ORIGIN, Position, parse_stream_id

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oddsengine.streams.identities.progress import Write

#: How many entries the log keeps. Who has missed more reads the table.
LOG_ENTRIES_KEPT: Final = 200
_READ: Final = 50
_AT: Final = b"at"
_OBEYED: Final = b"obeyed"
_IDENTITY, _POSSIBLE = "i:", "p:"
_DECISIONS, _BASE = b"d", b"b"
_encode: Final = msgspec.msgpack.Encoder().encode
_decode_decisions: Final = msgspec.msgpack.Decoder(Decisions).decode
_decode_identity: Final = msgspec.msgpack.Decoder(Identity).decode
_decode_possible: Final = msgspec.msgpack.Decoder(PossibleMatch).decode
_log = structlog.get_logger(__name__)


class IdentityLog:
    """The identities of an installation.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
    """

    def __init__(self, redis: Redis, namespace: str) -> None:
        self._redis = redis
        self._keys = identity_keys(namespace)
        self._write = redis.register_script(load_script("logs/write_identities"))

    async def load(self) -> StoredIdentities:
        """Read the table. Raises RedisError or OSError if Redis does not answer."""
        stored: Any = await self._redis.hgetall(self._keys.table)
        identities: dict[EventId, Identity | None] = {}
        possible: dict[EventId, PossibleMatch | None] = {}
        for field, value in stored.items():
            kind, event = field[:2].decode(errors="replace"), EventId(field[2:].decode(errors="replace"))
            try:
                if kind == _IDENTITY:
                    identities[event] = _decode_identity(value)
                elif kind == _POSSIBLE:
                    possible[event] = _decode_possible(value)
            except DECODING_ERRORS as error:
                _log.error("stored identity unreadable", event_id=event, error=str(error))
        obeyed = stored.get(_OBEYED, b"")
        at = _position(stored.get(_AT))
        return StoredIdentities(at, Decisions(identities, possible, int(obeyed) if obeyed.isdigit() else 0))

    async def last(self) -> Position:
        """Return the position of the table, `ORIGIN` if there is none. Raises RedisError or OSError if Redis does not answer."""
        stored: Any = await self._redis.hget(self._keys.table, "at")
        return _position(stored)

    async def last_of_log(self) -> Position:
        """Return the position of the log, `ORIGIN` if it has no entry. Raises RedisError or OSError if Redis does not answer."""
        entries: Any = await self._redis.xrevrange(self._keys.log, count=1)
        return parse_stream_id(entries[0][0]) if entries else ORIGIN

    async def read(self, after: Position, block_ms: int | None = None) -> list[LogEntry]:
        """Return the next entries after a position. Raises RedisError or OSError if Redis does not answer.

        Args:
            after: the position.
            block_ms: for how long to wait for the first one, in milliseconds; None: not at all.
        """
        reply: Any = await self._redis.xread({self._keys.log: after.stream_id()}, count=_READ, block=block_ms)
        return [_entry(key, fields) for key, fields in entries_of(reply).get(self._keys.log, [])]

    async def write(self, write: Write) -> bool:
        """Write decisions. Return False, and write nothing, if another entry was written since what their writer has read.

        Raises:
            RedisError, OSError: if Redis does not answer. Whether it was written is not known then.
        """
        args: list[bytes | str | int] = [
            "" if write.expected == ORIGIN else write.expected.stream_id(),
            write.at.stream_id(),
            LOG_ENTRIES_KEPT,
            b"" if write.reloads else _encode(write.decisions),
            "" if write.base is None else write.base.stream_id(),
        ]
        for prefix, values in ((_IDENTITY, write.decisions.identities), (_POSSIBLE, write.decisions.possible)):
            for event, value in values.items():
                args += [prefix + event, b"" if value is None else _encode(value)]
        if write.decisions.obeyed:
            args += [_OBEYED, write.decisions.obeyed]
        reply: Any = await self._write(keys=list(self._keys), args=args)
        return bool(reply)


def _position(stored: bytes | None) -> Position:
    try:
        return ORIGIN if stored is None else parse_stream_id(stored)
    except ValueError:
        return ORIGIN


def _entry(key: bytes, fields: dict[bytes, bytes]) -> LogEntry:
    base = fields.get(_BASE, b"")
    try:
        decisions = _decode_decisions(fields[_DECISIONS]) if fields.get(_DECISIONS) else None
    except DECODING_ERRORS as error:
        _log.error("decisions unreadable", at=key.decode(), error=str(error))
        decisions = None
    return LogEntry(parse_stream_id(key), decisions, _position(base) if base else None)
