"""The files of deploy/redis with real servers: three of them, three Sentinels, and a primary that is killed."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from oddsengine.cli.check import problems_of
from oddsengine.runtime.settings import parse_settings
from oddsengine.streams.connection import open_client
from tests.support.processes.ports import free_port
from tests.support.processes.program import program
from tests.support.redis.granted import granted
from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FOLDER: Final = Path(__file__).parents[3] / "deploy" / "redis"
ADDRESS: Final = "10.0.2.11"
needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")


def written(name: str, folder: Path, ports: dict[str, int], more: str = "") -> Path:
    """Write a file of the folder with other ports, as for a machine of its own."""
    text = (FOLDER / name).read_text(encoding="utf-8").replace("/var/lib/redis", str(folder)).replace(ADDRESS, "127.0.0.1")
    for line, port in ports.items():
        assert line in text
        text = text.replace(line, f"{line.rpartition(' ')[0]} {port}")
    file = folder / name
    file.write_text(f"{text}\n{more}\n", encoding="utf-8")
    return file


@asynccontextmanager
async def started(*arguments: str | Path, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a redis-server until the context is left."""
    with (folder / "log").open("ab") as log:
        async with program("redis-server", *arguments, stdout=log, stderr=subprocess.STDOUT) as process:
            yield process


async def until_quorum(port: int) -> None:
    """Wait until a Sentinel knows the others and both replicas."""
    async with asyncio.timeout(PATIENCE_S), Redis(port=port, password="ASKING_PASSWORD") as asked:
        while True:
            try:
                states: Any = await asked.sentinel_masters()
                state = states["odds"]
                if (state["num-other-sentinels"], state["num-slaves"]) == (2, 2):
                    return
            except (RedisError, OSError):
                pass
            await asyncio.sleep(0.05)


@needs_redis
async def test_the_primary_is_replaced_when_it_is_killed(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(3)]
    servers, sentinels = [free_port() for _ in folders], [free_port() for _ in folders]
    async with AsyncExitStack() as stack:
        processes = []
        for folder, server in zip(folders, servers, strict=True):
            folder.mkdir()
            more = "" if server == servers[0] else f"replicaof 127.0.0.1 {servers[0]}"
            file = written("redis.conf", folder, {"port 6379": server}, more)
            processes.append(await stack.enter_async_context(started(file, folder=folder)))
        for folder, sentinel in zip(folders, sentinels, strict=True):
            file = written("sentinel.conf", folder, {"port 26379": sentinel, "127.0.0.1 6379": servers[0]})
            await stack.enter_async_context(started(file, "--sentinel", folder=folder))
        for sentinel in sentinels:
            await until_quorum(sentinel)
        hosts = ",".join(f"127.0.0.1:{port}" for port in sentinels)
        url = f"redis+sentinel://odds:ODDS_PASSWORD@{hosts}/odds/0?sentinel_password=ASKING_PASSWORD"
        settings = parse_settings(f'[redis]\nurl = "{url}"\n', "odds.toml", {})
        assert [] == await problems_of(settings, connect=True, timeout_s=PATIENCE_S)
        processes[0].kill()
        redis = open_client(url)
        stack.push_async_callback(redis.aclose)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await redis.set("odds:a", "b")
                    break
                except (RedisError, OSError):
                    await asyncio.sleep(0.05)
        assert (await redis.info("replication"))["role"] == "master"


def test_the_user_has_the_commands_that_the_documentation_grants() -> None:
    assert f"~odds:* ~{{odds:* {granted()}\n" in (FOLDER / "redis.conf").read_text(encoding="utf-8")
