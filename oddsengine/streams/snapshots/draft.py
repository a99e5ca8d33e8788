"""Writes a whole snapshot beside the one in use, in pieces, each small enough to be written within any timeout."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from oddsengine.streams.lua import load_script
from oddsengine.streams.snapshots.stored import record_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from redis.asyncio import Redis

    from oddsengine.domain.changes import Record

_PIECE_RECORDS: Final = 1000
_PIECE_BYTES: Final = 262_144
#: What an owner that dies has written is gone after this.
_TTL_MS: Final = 60_000
_encode = msgspec.msgpack.Encoder().encode


class DraftSnapshot:
    """A snapshot that is being written. What is written is not written again when `write` is repeated after an error.

    Args:
        redis: a client that returns bytes.
        key: where to write it.
        records: the whole snapshot, each record once; they do not change meanwhile.
    """

    def __init__(self, redis: Redis, key: str, records: Iterable[Record]) -> None:
        self._write_piece = redis.register_script(load_script("write_draft"))
        self._records = iter(records)
        self._piece: dict[str, bytes] = {}
        self.key = key
        #: the number of fields, once all are written
        self.fields = 0
        #: when something was written last, monotonic seconds
        self.written_s = time.monotonic()

    async def write(self) -> None:
        """Write what is not written yet."""
        while self._piece or self._take_piece():
            is_first = int(self.fields == len(self._piece))
            fields = [part for field in self._piece.items() for part in field]
            await self._write_piece(keys=[self.key], args=[is_first, _TTL_MS, *fields])
            self._piece = {}
            self.written_s = time.monotonic()

    def _take_piece(self) -> bool:
        size = 0
        for record in self._records:
            encoded = _encode(record)
            self._piece[record_key(record)] = encoded
            size += len(encoded)
            if len(self._piece) == _PIECE_RECORDS or size >= _PIECE_BYTES:
                break
        self.fields += len(self._piece)
        return bool(self._piece)
