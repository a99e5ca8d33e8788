"""A bounded pool of connections that does not use those that may be dead.

Behind a network that loses everything without a word, each connection would show only with a timeout of its own that it is dead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redis.asyncio import BlockingConnectionPool

if TYPE_CHECKING:
    from redis.asyncio.connection import AbstractConnection


class RecoveringPool(BlockingConnectionPool):
    """A bounded pool. Where a connection fails, those that are idle are closed too."""

    async def release(self, connection: AbstractConnection) -> None:
        """Return a connection to the pool."""
        has_failed = not connection.is_connected
        await super().release(connection)
        if has_failed:
            await self.disconnect(inuse_connections=False)
