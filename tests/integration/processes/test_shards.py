"""All processes of an installation have the same number of shards: it is kept in Redis, and another one ends a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oddsengine.cli.support import leaves
from oddsengine.runtime.processes.startup import StartFailed, Step
from oddsengine.streams.errors import UnsuitableRedis
from oddsengine.streams.keys import installation_key, shard_keys
from oddsengine.streams.snapshots.stored import read_top
from tests.support.processes.role import running

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis

CONFIG = """
[redis]
url = "{url}"
[engine]
shards = {shards}
[gateway]
port = 0
[feeds.sim]
adapter = "simulator"
"""


def config(folder: Path, server: EmbeddedRedis, shards: int) -> Path:
    path = folder / f"shards{shards}.toml"
    path.write_text(CONFIG.format(url=server.url, shards=shards))
    return path


@pytest.mark.parametrize("key_lost", [False, True])
async def test_a_process_with_another_number_takes_nothing_over(
    key_lost: bool, redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path
) -> None:
    """Also where Redis has lost the number: it counts the shards."""
    async with running("engine", config(tmp_path, redis_server, 4)) as engine:
        await engine.reached(Step.READY)
        assert b"4" == await redis.hget(installation_key("odds"), "shards")
    tops = [await read_top(redis, shard_keys("odds", shard).changes) for shard in range(8)]
    if key_lost:
        await redis.delete(installation_key("odds"))
    for role in ("engine", "gateway", "run"):
        for shards in (1, 8):
            with pytest.raises(
                StartFailed, match=f"published in 4 shards, but this process has engine.shards = {shards}"
            ) as failed:
                async with running(role, config(tmp_path, redis_server, shards)) as started:
                    await started.task
            assert Step.IDENTIFY is failed.value.step
            assert 5 == failed.value.step.exit_code
    assert tops == [await read_top(redis, shard_keys("odds", shard).changes) for shard in range(8)]
    async with running("gateway", config(tmp_path, redis_server, 4)) as gateway:
        await gateway.reached(Step.READY)


@pytest.mark.parametrize("is_ready", [False, True])
async def test_a_gateway_ends_when_another_number_is_published(
    is_ready: bool, redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path
) -> None:
    """While it waits for the first engine, and after Redis has lost everything and an engine with another number has come."""
    if is_ready:
        async with running("engine", config(tmp_path, redis_server, 2)) as engine:
            await engine.reached(Step.READY)
    with pytest.raises(BaseExceptionGroup) as failed:
        async with running("gateway", config(tmp_path, redis_server, 2)) as gateway:
            if is_ready:
                await gateway.reached(Step.READY)
                await redis.flushall()
            else:
                await gateway.waits_for("nothing was published")
            async with running("engine", config(tmp_path, redis_server, 4)) as engine:
                await engine.reached(Step.READY)
                await gateway.task
    errors = list(leaves(failed.value))
    assert {UnsuitableRedis} == {type(error) for error in errors}
    assert "4 shards" in str(errors[0])


async def test_an_engine_writes_the_number_again(redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path) -> None:
    async with running("engine", config(tmp_path, redis_server, 2)) as engine:
        await engine.reached(Step.READY)
        await redis.delete(installation_key("odds"))
        while await redis.hget(installation_key("odds"), "shards") != b"2":
            assert not engine.task.done()
