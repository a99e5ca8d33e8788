"""Several processes share one feed: one of them is connected to its provider, and every engine has all of it."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson

from feeds.emulators.core.market_model import MarketModel
from feeds.emulators.emulator import load_emulator
from oddsengine.runtime.processes.startup import Step
from oddsengine.streams.keys import ingest_keys
from tests.support.processes.command import get
from tests.support.processes.ports import free_port
from tests.support.processes.role import running
from tests.support.service import PATIENCE_S
from tests.support.streams.shard_watch import watching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis
    from tests.support.processes.role import Role

CONFIG = """
[redis]
url = "{url}"
[engine]
port = {port}
lease_s = 1.0
shards = 2
[feeder]
port = {port}
[feeds.betfair]
adapter = "betfair"
{feed}
"""


class Provider:
    """An emulated provider, and the processes that use it."""

    def __init__(self, emulator: Any, redis_url: str, folder: Path) -> None:
        self.emulator = emulator
        self._redis_url = redis_url
        self._folder = folder

    @property
    def connections(self) -> int:
        """How many streams are connected."""
        return int(self.emulator.stream.connections)

    @asynccontextmanager
    async def process(self, role: str, **options: Any) -> AsyncIterator[tuple[Role, int]]:
        """Run a role that uses the provider. Yield it and its port."""
        port = free_port()
        config = self._folder / f"{port}.toml"
        feed = "\n".join(f"{key} = {orjson.dumps(value).decode()}" for key, value in self.emulator.config().items())
        config.write_text(CONFIG.format(url=self._redis_url, port=port, feed=feed))
        async with running(role, config, **options) as started:
            await started.reached(Step.READY)
            yield started, port


@asynccontextmanager
async def a_provider(server: EmbeddedRedis, folder: Path) -> AsyncIterator[Provider]:
    emulated = load_emulator("betfair")
    os.environ.update(emulated.secrets)
    emulator: Any = emulated.build(MarketModel(7, 6, time.time_ns() // 1_000_000))
    await emulator.start()
    try:
        yield Provider(emulator, server.url, folder)
    finally:
        await emulator.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.02)


async def feeds_of(port: int) -> Any:
    return (await get(f"http://127.0.0.1:{port}/v1/feeds"))[1]["feeds"]


async def is_ready_with(port: int, key: str, expected: list[Any]) -> None:
    """Wait until a process is ready and says that it has this."""
    async with asyncio.timeout(PATIENCE_S):
        while (await get(f"http://127.0.0.1:{port}/readyz"))[1].get(key) != expected:
            await asyncio.sleep(0.02)


async def feed_is(port: int, **expected: Any) -> None:
    """Wait until the only feed that a process knows of is as expected."""
    async with asyncio.timeout(PATIENCE_S):
        while [expected] != [{key: feed[key] for key in expected} for feed in await feeds_of(port)]:
            await asyncio.sleep(0.02)


async def test_a_feed_has_one_connection_and_moves_without_a_suspension(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    """Two feeders and an engine without any; then the connected feeder stops, and then the other one too."""
    async with (
        a_provider(redis_server, tmp_path) as provider,
        watching(redis_server, "odds", 2) as watch,
        AsyncExitStack() as stack,
    ):
        await stack.enter_async_context(provider.process("engine", connects_feeds=False))
        first, _ = await stack.enter_async_context(provider.process("feeder"))
        await watch.has_settled()
        second, port = await stack.enter_async_context(provider.process("feeder"))
        assert (200, {"status": "ready", "feeds": []}) == await get(f"http://127.0.0.1:{port}/readyz")
        assert 1 == provider.connections
        watch.forbid("recovering", "source_down", "source_stale")
        await first.stop()
        await is_ready_with(port, "feeds", ["betfair"])
        assert 1 == provider.connections
        await feed_is(port, state="live")
        await asyncio.sleep(0.5)
        watch.check()
        watch.allow()
        await second.stop()
        await until(lambda: watch.open_markets == 0)


async def test_two_engines_with_one_config_share_feeds_and_shards(
    redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path
) -> None:
    """As long as there is one only, it writes its feed nowhere."""
    async with (
        a_provider(redis_server, tmp_path) as provider,
        watching(redis_server, "odds", 2) as watch,
        AsyncExitStack() as stack,
    ):
        first, _ = await stack.enter_async_context(provider.process("engine"))
        await watch.has_settled()
        assert 0 == await redis.exists(ingest_keys("odds", "betfair").stream)
        watch.forbid("recovering", "engine_stopped", "source_down", "source_stale")
        _, port = await stack.enter_async_context(provider.process("engine"))
        async with asyncio.timeout(PATIENCE_S):
            while len((await get(f"http://127.0.0.1:{port}/readyz"))[1].get("shards", ())) != 1:
                await asyncio.sleep(0.02)
        assert 1 == provider.connections
        await feed_is(port, feed="betfair", state="live", followed=True)
        await first.stop()
        await is_ready_with(port, "shards", [0, 1])
        assert 1 == provider.connections
        await asyncio.sleep(0.5)
        watch.check()
        watch.allow()
