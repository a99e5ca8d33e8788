"""Two engines whose configs name the feeds in another order: one is killed, the other restarted, and no event has another id."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from oddsengine.runtime.processes.startup import Step
from oddsengine.streams.commands.log import CommandLog
from tests.support.builders import a_command
from tests.support.processes.command import command, get
from tests.support.processes.ports import free_port
from tests.support.processes.role import running
from tests.support.service import PATIENCE_S
from tests.support.streams.shard_watch import watching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis
    from tests.support.streams.shard_watch import ShardWatch

MATCHES = 3
CONFIG = """
[redis]
url = "{url}"
[engine]
port = {port}
shards = 2
lease_s = 1.0
"""
FEED = """
[feeds.{name}]
adapter = "simulator"
seed = 3
matches = 3
[feeds.{name}.pace]
before_s = 10000.0
"""


class Installation:
    """Engines with the same two feeds, each of the same matches."""

    def __init__(self, server: EmbeddedRedis, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self.ports: list[int] = []

    def config(self, *feeds: str) -> Path:
        port = free_port()
        self.ports.append(port)
        config = self._folder / f"{port}.toml"
        config.write_text(CONFIG.format(url=self._server.url, port=port) + "".join(FEED.format(name=name) for name in feeds))
        return config

    @asynccontextmanager
    async def engine(self, *feeds: str) -> AsyncIterator[int]:
        """Run an engine in this process. Yield its port."""
        async with running("engine", self.config(*feeds)) as role:
            await role.reached(Step.READY)
            yield self.ports[-1]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.02)


async def shards_of(port: int) -> Any:
    status, answer = await get(f"http://127.0.0.1:{port}/readyz")
    return answer["shards"] if status == 200 else []


async def owns(port: int, *shards: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await shards_of(port) != list(shards):
            await asyncio.sleep(0.02)


def events(watch: ShardWatch) -> set[str]:
    return {event for offer in watch.offers for event in offer.events}


def all_open(watch: ShardWatch, count: int) -> bool:
    """Check whether a number of events are on offer, and each has an open market."""
    with_open = {
        market.identity.event for offer in watch.offers for market in offer.markets.values() if market.state.status == "open"
    }
    return len(events(watch)) == count == len(with_open)


async def test_no_event_has_another_id_after_a_kill_and_a_restart_in_another_order(
    redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path
) -> None:
    installation = Installation(redis_server, tmp_path)
    async with watching(redis_server, "odds", 2) as watch, AsyncExitStack() as stack:
        process = await stack.enter_async_context(command("engine", "--config", installation.config("a", "b"), cwd=tmp_path))
        await until(lambda: all_open(watch, MATCHES))
        pair = min(events(watch))
        feed, _, number = pair.partition(".")
        other = f"{'b' if feed == 'a' else 'a'}.{number}"
        settled = await CommandLog(redis, "odds").write(a_command("unmatch", event=pair, values=other))
        await until(lambda: all(offer.commands >= settled.seq for offer in watch.offers))
        assert {pair, other} <= events(watch), "it is obeyed once what it changes is published"
        await until(lambda: all_open(watch, MATCHES + 1))
        ids = events(watch)
        async with installation.engine("b", "a") as second:
            await owns(second, 1)
            await process.stop(signal.SIGKILL)
            await owns(second, 0, 1)
            await until(lambda: all_open(watch, MATCHES + 1))
            assert ids == events(watch)
        async with installation.engine("b", "a") as third:
            await owns(third, 0, 1)
            await until(lambda: all_open(watch, MATCHES + 1))
            assert ids == events(watch), "after a restart of all engines"
            # What Redis has lost is written again, under the same ids.
            await redis.flushall()
            await until(lambda: all_open(watch, MATCHES + 1))
            async with asyncio.timeout(PATIENCE_S):
                while len(await redis.hkeys("{odds:identities}:table")) < 2 * MATCHES:
                    await asyncio.sleep(0.02)
            assert ids == events(watch)
