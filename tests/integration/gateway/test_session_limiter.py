"""Sessions of one subject, counted by several gateways in a real Redis."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

from oddsengine.gateway.access.session_limiter import SessionLimiter
from oddsengine.streams.keys import sessions_key
from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis


async def acquire(limiter: SessionLimiter, subject: str, session: str, limit: int) -> None:
    """Retry until a session is acquired."""
    async with asyncio.timeout(PATIENCE_S):
        while not await limiter.acquire(subject, session, limit):
            await asyncio.sleep(0.02)


async def test_gateways_share_one_count(redis: Redis) -> None:
    one, other = SessionLimiter(redis), SessionLimiter(redis)
    assert await one.acquire("shop", "a", 2)
    assert await other.acquire("shop", "b", 2)
    assert not await one.acquire("shop", "c", 2)
    assert not await other.acquire("shop", "d", 2)
    assert await one.acquire("shop", "a", 2), "a session that is counted already"
    assert await other.acquire("kiosk", "e", 1), "another subject"


async def test_a_released_session_is_free_for_another_gateway(redis: Redis) -> None:
    one, other = SessionLimiter(redis), SessionLimiter(redis)
    assert await one.acquire("shop", "a", 1)
    one.release("shop", "a")
    await one.finish()
    assert not await redis.exists(sessions_key("odds", "shop"))
    one.release("shop", "never acquired")
    await acquire(other, "shop", "b", 1)


async def test_leases_expire_unless_renewed(redis: Redis) -> None:
    dead, living, waiting = (SessionLimiter(redis, lease_s=lease_s) for lease_s in (0.3, 3.0, 30.0))
    assert await dead.acquire("shop", "a", 2)
    assert await living.acquire("shop", "b", 2)
    expires: Any = await redis.zscore(sessions_key("odds", "shop"), "b")
    renewing = asyncio.create_task(living.renew())
    await acquire(waiting, "shop", "c", 2)
    assert await redis.zscore(sessions_key("odds", "shop"), "a") is None
    async with asyncio.timeout(PATIENCE_S):
        while await redis.zscore(sessions_key("odds", "shop"), "b") == expires:
            await asyncio.sleep(0.02)
    renewing.cancel()


async def test_without_redis_a_gateway_counts_its_own_sessions(redis_server: EmbeddedRedis, redis: Redis) -> None:
    limiter = SessionLimiter(redis)
    assert await limiter.acquire("shop", "a", 2)
    assert redis_server.pid is not None
    os.kill(redis_server.pid, signal.SIGKILL)
    assert await limiter.acquire("shop", "b", 2)
    assert not await limiter.acquire("shop", "c", 2)
    limiter.release("shop", "b")
    assert await limiter.acquire("shop", "c", 2)


async def test_a_session_whose_acquisition_is_cancelled_is_not_renewed(redis: Redis) -> None:
    limiter = SessionLimiter(redis, lease_s=0.3)
    acquiring = asyncio.create_task(limiter.acquire("shop", "a", 1))
    await asyncio.sleep(0)
    acquiring.cancel()
    await asyncio.gather(acquiring, return_exceptions=True)
    renewing = asyncio.create_task(limiter.renew())
    await acquire(limiter, "shop", "b", 1)
    renewing.cancel()
