"""Several engines on one Redis: each shard has one owner, and moves without a suspension."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from oddsengine.common.tasks import end_tasks
from oddsengine.runtime.processes.startup import Step
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.snapshots.stored import read_top
from tests.support.processes.command import get
from tests.support.processes.ports import free_port
from tests.support.processes.role import running
from tests.support.service import PATIENCE_S
from tests.support.streams.shard_watch import watching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis
    from tests.support.processes.role import Role

SHARDS = 3
CONFIG = """
[redis]
url = "{url}"
[engine]
port = {port}
shards = 3
lease_s = 1.0
[feeds.sim]
adapter = "simulator"
seed = 3
matches = 8
[feeds.sim.pace]
before_s = 10000.0
"""


class RunningEngine:
    """An engine and its API."""

    def __init__(self, role: Role, port: int) -> None:
        self.role = role
        self.port = port

    async def owned(self) -> list[int]:
        """Return the shards that it owns."""
        status, answer = await get(f"http://127.0.0.1:{self.port}/readyz")
        return answer["shards"] if status == 200 else []

    async def owns(self, count: int) -> None:
        """Wait until it owns a number of shards."""
        async with asyncio.timeout(PATIENCE_S):
            while len(await self.owned()) != count:
                await asyncio.sleep(0.02)


@asynccontextmanager
async def an_engine(server: EmbeddedRedis, folder: Path) -> AsyncIterator[RunningEngine]:
    port = free_port()
    config = folder / f"{port}.toml"
    config.write_text(CONFIG.format(url=server.url, port=port))
    async with running("engine", config) as role:
        await role.reached(Step.READY)
        yield RunningEngine(role, port)


async def epochs(redis: Redis) -> list[int]:
    return [(await read_top(redis, shard_keys("odds", shard).changes)).epoch for shard in range(SHARDS)]


@asynccontextmanager
async def losing_leases(redis: Redis) -> AsyncIterator[None]:
    """Delete from Redis the leases of shards again and again."""

    async def lose() -> None:
        while True:
            await redis.delete("{odds:shards}:leases", "{odds:shards}:members")
            await asyncio.sleep(0.01)

    task = asyncio.create_task(lose())
    try:
        yield
    finally:
        await end_tasks([task])


async def test_shards_are_shared_and_handed_over_without_a_suspension(
    redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path
) -> None:
    """Joining, also while leases are lost, leaving and stopping of engines."""
    async with watching(redis_server, "odds", SHARDS) as watch, an_engine(redis_server, tmp_path) as first:
        await first.owns(3)
        await watch.has_settled()
        watch.forbid("recovering", "engine_stopped")
        async with an_engine(redis_server, tmp_path) as second:
            await second.owns(1)
            await first.owns(2)
            before = await epochs(redis)
            await asyncio.sleep(1.5)
            assert before == await epochs(redis), "nobody takes a shard whose lease is alive"
        await first.owns(3)
        async with AsyncExitStack() as stack:
            async with losing_leases(redis):
                # It finds nothing, and does not know what its sources say.
                third = await stack.enter_async_context(an_engine(redis_server, tmp_path))
            await third.owns(1)
            await first.role.stop()
            await third.owns(3)
            watch.check()
            assert watch.open_markets
            watch.allow()
    assert await redis.hgetall("{odds:shards}:leases") == {}, "the last one has released them"
    assert await redis.hgetall("{odds:shards}:members") == {}
