"""A bounded pool of connections that does not use those that may be dead, and soon tries again to connect.

Behind a network that loses everything without a word, each connection would show only with a timeout of its own that it is dead.
One that is being made then would be given up only after as long as the longest reply may take. As soon as one comes about, those
of all clients of the process that were begun before it, and have not, are made again.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Final

from redis.asyncio import BlockingConnectionPool
from redis.exceptions import TimeoutError as RedisTimeoutError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio.connection import AbstractConnection

#: A connection may take so many times as long as the quickest of the last ones, and at least so long.
_MARGIN: Final = 4.0
_REMEMBERED: Final = 3
_MIN_S: Final = 0.5
#: One is given up if another one that was begun later has come about, and took less than this share of how long it has lasted.
_OVERTAKEN_SHARE: Final = 0.5
_OVERTAKEN_S: Final = 0.05
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


class Connectivity:
    """The attempts of all clients of this process to connect to one server, and the limit that follows from them.

    Args:
        clock: returns seconds that grow steadily.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.limit = ConnectLimit()
        #: connections that are being made -> since when
        self._attempts: dict[asyncio.Timeout, float] = {}
        self._overtaken: set[asyncio.Timeout] = set()

    async def connect(self, connecting: Callable[[], Awaitable[object]]) -> bool:
        """Make a connection. Return False if another one has overtaken it, after which it is to be made again.

        Raises:
            TimeoutError: if it takes much longer than it should.
        """
        began_s = self._clock()
        attempt = asyncio.timeout(self.limit.limit_s(began_s))
        self._attempts[attempt] = began_s
        try:
            async with attempt:
                await connecting()
        except TimeoutError:
            if attempt in self._overtaken:
                return False
            self.limit.note_timeout(began_s)
            raise
        finally:
            del self._attempts[attempt]
            self._overtaken.discard(attempt)
        self._made(self._clock() - began_s)
        return True

    def _made(self, took_s: float) -> None:
        self.limit.note_made(took_s)
        now_s = self._clock()
        for attempt, began_s in self._attempts.items():
            # One that is ending already, by its own limit or because it was overtaken, can't be ended again.
            if took_s + _OVERTAKEN_S < _OVERTAKEN_SHARE * (now_s - began_s) and not attempt.expired():
                self._overtaken.add(attempt)
                attempt.reschedule(asyncio.get_running_loop().time())


#: one for all clients of this process
_by_address: defaultdict[tuple[Any, ...], Connectivity] = defaultdict(Connectivity)


class RecoveringPool(BlockingConnectionPool):
    """A bounded pool. Where a connection fails, those are closed too that are idle and were not used successfully since."""

    #: whether connections that are quick as a rule are given up soon, instead of with the timeout of each step
    limits_connecting: ClassVar[bool] = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._connectivity = _by_address[tuple(options.get(name) for name in ("host", "port", "path"))]
        #: how often any of its connections was made: what a client made anew by itself shows nowhere else
        self.connects = 0
        #: connection -> when it was taken, and when it was last returned without an error
        self._taken_s: dict[AbstractConnection, float] = {}
        self._proven_s: dict[AbstractConnection, float] = {}

    def make_connection(self) -> AbstractConnection:
        """Return another connection, which is not made yet."""
        connection: AbstractConnection = super().make_connection()  # type: ignore[no-untyped-call]
        connection.register_connect_callback(self._note_connect)  # type: ignore[no-untyped-call]
        return connection

    async def _note_connect(self, _connection: AbstractConnection) -> None:
        self.connects += 1

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        """Connect, unless that is done.

        Raises:
            RedisError: if that fails, or takes much longer than it should.
        """
        self._taken_s[connection] = time.monotonic()
        connecting = partial(super().ensure_connection, connection)
        if connection.is_connected or not self.limits_connecting:
            await connecting()
            return
        try:
            while not await self._connectivity.connect(connecting):
                await connection.disconnect(nowait=True)
        except TimeoutError:
            await connection.disconnect(nowait=True)
            raise RedisTimeoutError("Timeout connecting to server") from None

    async def release(self, connection: AbstractConnection) -> None:
        """Return a connection to the pool."""
        has_failed = not connection.is_connected
        taken_s = self._taken_s.pop(connection, 0.0)
        if not has_failed:
            self._proven_s[connection] = time.monotonic()
        await super().release(connection)
        if has_failed:
            self._proven_s.pop(connection, None)
            await self.close_idle(taken_s)

    async def close_idle(self, unproven_since_s: float = inf) -> None:
        """Close the connections that are idle and were not used successfully after a time, by default all that are idle."""
        available: list[AbstractConnection] = self._available_connections
        for idle in available:
            if idle.is_connected and self._proven_s.get(idle, 0.0) <= unproven_since_s:
                # Without a pause, in which it or another one of them would be taken for a command.
                await idle.disconnect(nowait=True)
