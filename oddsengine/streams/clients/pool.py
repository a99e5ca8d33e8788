"""A bounded pool of connections that does not use those that may be dead, and soon tries again to connect.

Behind a network that loses everything without a word, each connection would show only with a timeout of its own that it is dead.
One that is being made then would be given up only after as long as the longest reply may take.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, Final

from redis.asyncio import BlockingConnectionPool
from redis.exceptions import TimeoutError as RedisTimeoutError

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection

#: A connection may take so many times as long as the quickest of the last ones, and at least so long.
_MARGIN: Final = 8.0
_REMEMBERED: Final = 3
_MIN_S: Final = 0.5
#: While none comes about, each may take this share of how long that has lasted: the way there may have become a slow one.
_SHARE_OF_OUTAGE: Final = 0.125


class ConnectLimit:
    """The limit on the time that making a connection may take. Pure: times are of one clock, in seconds."""

    def __init__(self) -> None:
        self._took_s: deque[float] = deque(maxlen=_REMEMBERED)
        #: since when they take too long; None while they do not
        self._too_long_since_s: float | None = None

    def limit_s(self, now_s: float) -> float | None:
        """Return how long the next one may take; None for as long as each of its steps may."""
        if not self._took_s:
            return None
        outage_s = 0.0 if self._too_long_since_s is None else now_s - self._too_long_since_s
        return max(_MIN_S, _MARGIN * min(self._took_s), _SHARE_OF_OUTAGE * outage_s)

    def note_made(self, took_s: float) -> None:
        """Note that one was made."""
        self._took_s.append(took_s)
        self._too_long_since_s = None

    def note_timeout(self, began_s: float) -> None:
        """Note that one took too long."""
        if self._too_long_since_s is None:
            self._too_long_since_s = began_s


class RecoveringPool(BlockingConnectionPool):
    """A bounded pool. Where a connection fails, those that are idle are closed too."""

    #: whether connections that are quick as a rule are given up soon, instead of with the timeout of each step
    limits_connecting: ClassVar[bool] = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._limit = ConnectLimit()

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        """Connect, unless that is done.

        Raises:
            RedisError: if that fails, or takes much longer than it should.
        """
        if connection.is_connected or not self.limits_connecting:
            await super().ensure_connection(connection)
            return
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(self._limit.limit_s(began_s)):
                await super().ensure_connection(connection)
        except TimeoutError:
            self._limit.note_timeout(began_s)
            await connection.disconnect(nowait=True)
            raise RedisTimeoutError("Timeout connecting to server") from None
        self._limit.note_made(time.monotonic() - began_s)

    async def release(self, connection: AbstractConnection) -> None:
        """Return a connection to the pool."""
        has_failed = not connection.is_connected
        await super().release(connection)
        if has_failed:
            await self.disconnect(inuse_connections=False)
