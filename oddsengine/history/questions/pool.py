"""The connections that questions are asked on: few, opened when they are needed, each statement with a time limit."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from oddsengine.history.errors import OtherHistory, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from oddsengine.history.database import Database

_SIZE: Final = 4
_ACQUIRE_TIMEOUT_S: Final = 2.0
_TIMEOUT_S: Final = 5.0
_SESSION: Final = {
    "statement_timeout": "2000",
    "default_transaction_read_only": "on",
    # Only partitions of the days in question are planned for, and nothing so small is worth compiling.
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
}


class HistoryPool:
    """A pool of connections to the history, wherever that is at the time.

    Args:
        find: returns the database. Raises Unavailable if there is none.
        namespace: whose history it must be.
    """

    def __init__(self, find: Callable[[], Database], namespace: str) -> None:
        self._find = find
        self._namespace = namespace
        self._database: Database | None = None
        self._pool: Any = None
        self._shards: int | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[Any, int]]:
        """Yield a connection and the number of shards.

        Raises:
            Unavailable: if the database does not answer, or not in time.
        """
        database = self._find()
        from oddsengine.history.database import UNREACHABLE  # noqa: PLC0415 - where there is no history the driver may be missing

        try:
            async with asyncio.timeout(_TIMEOUT_S):
                pool = await self._pool_of(database)
                async with pool.acquire(timeout=_ACQUIRE_TIMEOUT_S) as connection:
                    yield connection, await self._shards_of(connection)
        except UNREACHABLE as error:
            raise Unavailable(f"the history does not answer: {str(error) or type(error).__name__}") from error
        except OtherHistory as error:
            raise Unavailable(str(error)) from error

    async def close(self) -> None:
        """Close all connections."""
        pool, self._pool, self._database = self._pool, None, None
        if pool is not None:
            pool.terminate()

    async def _pool_of(self, database: Database) -> Any:
        if database is self._database:
            return self._pool
        async with self._opening:
            if database is not self._database:
                await self.close()
                self._shards = None
                self._pool = await database.create_pool(_SIZE, **_SESSION)
                self._database = database
            return self._pool

    async def _shards_of(self, connection: Any) -> int:
        if self._shards is None:
            row = await connection.fetchrow("SELECT namespace, shards FROM installation")
            if row is None:
                raise Unavailable("nothing was archived yet")
            if row["namespace"] != self._namespace:
                raise OtherHistory((row["namespace"], row["shards"]), (self._namespace, row["shards"]))
            self._shards = int(row["shards"])
        return self._shards
