"""What a Redis server is. Every role identifies it before it serves or owns anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from redis.asyncio import Redis

_log = structlog.get_logger(__name__)


async def identify(redis: Redis, namespace: str, shards: int) -> None:
    """Check that a server can hold this installation's offer, and log what it is.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        shards: the number of shards of this process.

    Raises:
        StreamError: if it can't, with the reason and what to do.
    """
    info = await redis.info("server")
    version = info.get("valkey_version") or info.get("redis_version", "unknown")
    _log.info("redis", version=version, mode=info.get("redis_mode", "unknown"), namespace=namespace, shards=shards)
