"""Sessions of one bearer of tokens, counted by several gateways in a real Redis."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from oddsengine.gateway.access.session_limiter import SessionLimiter
from oddsengine.streams.keys import seats_key
from tests.support.service import until

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis


async def test_two_gateways_count_together(redis: Redis) -> None:
    one, other = SessionLimiter(redis), SessionLimiter(redis)
    assert await one.take("shop", "a", 2)
    assert await other.take("shop", "b", 2)
    assert not await one.take("shop", "c", 2)
    assert not await other.take("shop", "d", 2)
    assert await one.take("shop", "a", 2), "who sits there stays"
    assert await other.take("kiosk", "e", 1), "somebody else's seats are others"


async def test_a_seat_given_back_is_free_for_another_gateway(redis: Redis) -> None:
    one, other = SessionLimiter(redis), SessionLimiter(redis)
    assert await one.take("shop", "a", 1)
    one.leave("shop", "a")
    one.leave("shop", "never came")

    async def taken() -> bool:
        return bool(await redis.exists(seats_key("odds", "shop")))

    async with asyncio.timeout(10):
        while await taken():
            await asyncio.sleep(0.005)
    assert await other.take("shop", "b", 1)


async def test_the_seats_of_a_gateway_that_is_gone_free_themselves_and_those_of_one_that_lives_do_not(redis: Redis) -> None:
    gone, living, asking = SessionLimiter(redis, kept_s=0.3), SessionLimiter(redis, kept_s=0.3), SessionLimiter(redis, kept_s=0.3)
    assert await gone.take("shop", "a", 2)
    assert await living.take("shop", "b", 2)
    keeping = asyncio.create_task(living.keep())
    async with asyncio.timeout(10):
        while not await asking.take("shop", "c", 2):
            await asyncio.sleep(0.05)
    assert await redis.zscore(seats_key("odds", "shop"), "b") is not None
    assert await redis.zscore(seats_key("odds", "shop"), "a") is None
    keeping.cancel()


async def test_without_redis_a_gateway_counts_its_own(redis_server: EmbeddedRedis, redis: Redis) -> None:
    seats = SessionLimiter(redis)
    assert await seats.take("shop", "a", 2)
    assert redis_server.pid is not None
    os.kill(redis_server.pid, signal.SIGKILL)
    assert await seats.take("shop", "b", 2)
    assert not await seats.take("shop", "c", 2)
    seats.leave("shop", "b")
    await until(lambda: not seats._leaving, "the attempt to give it back")
    assert await seats.take("shop", "c", 2)


async def test_who_goes_while_a_seat_is_asked_for_keeps_none(redis: Redis) -> None:
    seats = SessionLimiter(redis, kept_s=0.3)
    asking = asyncio.create_task(seats.take("shop", "a", 1))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    keeping = asyncio.create_task(seats.keep())
    async with asyncio.timeout(10):
        while not await seats.take("shop", "b", 1):
            await asyncio.sleep(0.05)
    keeping.cancel()
