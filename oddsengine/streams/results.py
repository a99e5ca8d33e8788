"""Reads the results of markets that have left the offer. Their owner writes them together with the removal (`publish.lua`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.common.reporting.line_limit import LineLimit
from oddsengine.domain.changes import SettledMarket
from oddsengine.domain.ids import EventId, shard_of
from oddsengine.streams.keys import shard_keys

if TYPE_CHECKING:
    from redis.asyncio import Redis

_decode = msgspec.msgpack.Decoder(SettledMarket).decode
_log = structlog.get_logger(__name__)


class Results:
    """The markets of an installation that have left the offer, for as long as they are kept.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        shards: the number of shards.
    """

    def __init__(self, redis: Redis, namespace: str, shards: int) -> None:
        self._redis = redis
        self._unreadable_lines = LineLimit()
        self._keys = [shard_keys(namespace, shard) for shard in range(shards)]

    async def find(self, market: str) -> SettledMarket | None:
        """Return a market that has left the offer, None if it has no results or they are no longer kept.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        keys = self._keys[shard_of(EventId(market.partition("/")[0]), len(self._keys))]
        stored: Any = await self._redis.get(keys.result(market))
        if stored is None:
            return None
        try:
            return _decode(stored)
        except DECODING_ERRORS as error:
            if (left_out := self._unreadable_lines.take()) is not None:
                _log.error("stored result unreadable", market=market, error=str(error), left_out=left_out)
            return None
