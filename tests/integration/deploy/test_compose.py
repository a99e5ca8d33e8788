"""The scripts and configs of deploy/compose with real servers: Sentinels that fail over, and Prometheus' own check."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from oddsengine.streams.connection import open_client
from tests.support.processes.ports import free_port
from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

COMPOSE: Final = Path(__file__).parents[3] / "deploy" / "compose"
needs_redis = pytest.mark.skipif(
    shutil.which("redis-server") is None or shutil.which("redis-cli") is None, reason="redis-server is not installed"
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The folder with its secrets."""
    folder = tmp_path / "compose"
    shutil.copytree(COMPOSE, folder, ignore=shutil.ignore_patterns("secrets"))
    subprocess.run(["sh", folder / "secrets.sh"], check=True)
    return folder


class Containers:
    """The Redis servers and Sentinels of compose.yaml as processes on loopback: every name is localhost, with a port of its own.

    Args:
        folder: a copy of deploy/compose.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.redis = [free_port(), free_port()]
        self.sentinels = [free_port() for _ in range(3)]
        self._processes: dict[int, asyncio.subprocess.Process] = {}

    async def start(self) -> None:
        """Start all of them as their scripts do."""
        for number, port in enumerate(self.redis):
            text = (self._folder / "redis.sh").read_text(encoding="utf-8")
            text = text.replace("/tmp/redis.conf", str(self._folder / f"redis{port}.conf"))
            # Both names are localhost, so the second one is told whose replica it is.
            text = text.replace('[ "$primary" = "$1" ]', "true" if number == 0 else "false")
            text = text.replace("replicaof $primary 6379", f"replicaof localhost {self.redis[0]}")
            text = text.replace("-p 26379", f"-p {free_port()}")
            own = f"port {port}\ndir {self._folder}\nappenddirname aof{port}\ndbfilename {port}.rdb\n"
            config = self._folder / f"shipped{port}.conf"
            config.write_text((self._folder / "redis.conf").read_text(encoding="utf-8") + own)
            await self._run(port, text, {"CONFIG": str(config)}, "localhost")
        for port in self.sentinels:
            text = (self._folder / "sentinel.sh").read_text(encoding="utf-8")
            text = text.replace("port 26379", f"port {port}").replace("redis-1 6379", f"localhost {self.redis[0]}")
            text = text.replace("$(hostname)", "localhost")
            data = self._folder / f"sentinel{port}"
            data.mkdir()
            await self._run(port, text, {"DATA": str(data)})

    async def kill(self, port: int) -> None:
        """Kill one."""
        process = self._processes.pop(port)
        process.kill()
        await process.wait()

    async def close(self) -> None:
        """Kill all of them."""
        for port in list(self._processes):
            await self.kill(port)

    async def _run(self, port: int, script: str, environment: dict[str, str], *arguments: str) -> None:
        file = self._folder / f"{port}.sh"
        file.write_text(script)
        environment = {**os.environ, "SECRETS": str(self._folder / "secrets"), **environment}
        with (self._folder / f"{port}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                "sh", str(file), *arguments, env=environment, stdout=log, stderr=log, cwd=self._folder
            )
        self._processes[port] = process
        password = (self._folder / "secrets" / "redis_password").read_text().strip() if port in self.redis else None
        async with Redis(port=port, password=password) as client, asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await client.ping()
                except (RedisError, OSError):
                    assert process.returncode is None, (self._folder / f"{port}.log").read_text()
                    await asyncio.sleep(0.02)
                else:
                    return


@pytest.fixture
async def containers(copy: Path) -> AsyncIterator[Containers]:
    async with AsyncExitStack() as stack:
        started = Containers(copy)
        stack.push_async_callback(started.close)
        await started.start()
        yield started


@needs_redis
async def test_sentinels_of_compose_fail_over_for_who_has_the_url(containers: Containers, copy: Path) -> None:
    url = (copy / "secrets" / "redis_url").read_text().strip()
    for number, port in enumerate(containers.sentinels, start=1):
        url = url.replace(f"sentinel-{number}:26379", f"localhost:{port}")
    client = open_client(url)
    try:
        async with Redis(port=containers.sentinels[0]) as sentinel, asyncio.timeout(PATIENCE_S):
            state: Any = {}
            while state.get("num-slaves") != 1 or state.get("num-other-sentinels") != 2:
                masters: Any = await sentinel.sentinel_masters()
                state = masters["odds"]
                await asyncio.sleep(0.05)
        await client.set("before", 1)
        await client.wait(1, 2000)
        await containers.kill(containers.redis[0])
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    assert await client.set("after", 2)
                    break
                except (RedisError, OSError):
                    await asyncio.sleep(0.1)
        assert b"1" == await client.get("before")
        assert containers.redis[1] == (await client.info("server"))["tcp_port"]
    finally:
        await client.aclose()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_accepts_its_config(copy: Path) -> None:
    shutil.copytree(COMPOSE.parent / "prometheus", copy.parent / "prometheus")
    done = subprocess.run(["promtool", "check", "config", copy / "prometheus.yml"], capture_output=True, text=True, check=False)
    assert (0, True) == (done.returncode, "rules found" in done.stdout), done.stdout + done.stderr
