"""Workers are one service: one set of metrics, replaced when they freeze or the config changes, gone with their parent."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from oddsengine.cli.roles.gateway import gateway_workers
from oddsengine.cli.support import read_settings
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.runtime.processes.front import when_free
from oddsengine.runtime.processes.startup import StartFailed, Startup, Step
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.publisher import Publisher
from tests.support.processes.command import Process, command, get
from tests.support.processes.ports import free_port
from tests.support.processes.role import running
from tests.support.service import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis

CONFIG = """
[redis]
url = "{url}"
namespace = "{namespace}"
[gateway]
host = "127.0.0.1"
port = {port}
worker_timeout_s = 2.0
[limits]
channels = {channels}
"""


def write_config(path: Path, url: str, port: int, namespace: str = "odds", channels: int = 100) -> Path:
    path.write_text(CONFIG.format(url=url, port=port, namespace=namespace, channels=channels))
    return path


async def published(redis: Redis, url: str) -> None:
    """Publish an empty offer."""
    del url
    await Publisher(redis, 0, shard_keys("odds", 0), OwnedOffer()).claim(0)


async def sockets(stack: AsyncExitStack, url: str, count: int) -> list[ClientConnection]:
    """Open sockets, and wait for the welcome of each."""

    async def opened() -> ClientConnection:
        socket = await stack.enter_async_context(connect(f"{url.replace('http', 'ws')}/v1/stream"))
        await socket.recv()
        return socket

    async with asyncio.timeout(PATIENCE_S):
        return list(await asyncio.gather(*(opened() for _ in range(count))))


async def metric(url: str, name: str) -> set[float]:
    """Return the values that several scrapes find."""
    found: set[float] = set()
    for _ in range(4):
        _, text = await get(f"{url}/metrics")
        (value,) = re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)
        found.add(float(value))
    return found


def workers_of(process: Process) -> list[int]:
    return [line["worker"] for line in process.events("serving")]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def closed(socket: ClientConnection) -> int:
    """Read until the socket is closed. Return the code."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            while True:
                await socket.recv()
        except ConnectionClosed as end:
            return end.rcvd.code if end.rcvd is not None else 1006


@pytest.mark.alone
async def test_workers_are_one_service(redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path) -> None:
    await published(redis, redis_server.url)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    config = write_config(tmp_path / "odds.toml", redis_server.url, port)
    async with command("gateway", "-c", config, "--workers", "2", cwd=tmp_path) as parent, AsyncExitStack() as stack:
        # until the first worker serves, the parent answers that they are starting
        await parent.logged("workers")
        status, body = await get(f"{url}/healthz")
        assert (200, "starting") == (status, body["status"])
        assert 503 == (await get(f"{url}/readyz"))[0]
        await parent.logged("serving", 2)
        first, second = workers_of(parent)

        # one set of metrics
        before = await sockets(stack, url, 8)
        assert {8.0} == await metric(url, "oddsengine_sessions")
        assert {2.0} == await metric(url, "oddsengine_workers")

        # no strangers on the port, whether they would share it or not
        other = write_config(tmp_path / "other.toml", redis_server.url, port, namespace="other")
        with pytest.raises(StartFailed) as refused:
            await gateway_workers(Startup(), read_settings(other), other, read_settings, 2)
        assert Step.BIND is refused.value.step
        with pytest.raises(StartFailed):
            async with running("gateway", other) as stranger:
                await stranger.task

        # a frozen worker is replaced, also if the file is broken by then, and what it had counted is kept
        accepted = config.read_text()
        config.write_text("[gateway")
        os.kill(first, signal.SIGSTOP)
        found = await asyncio.gather(*(get(f"{url}/v1/events") for _ in range(20)))
        assert {200} == {status for status, _ in found}, "those that reach it wait for its successor"
        await parent.logged("worker frozen, replacing it")
        await parent.logged("serving", 3)
        await sockets(stack, url, 12)
        assert min(await metric(url, "oddsengine_sessions_opened_total")) >= 20
        assert not is_running(first)
        assert {1.0} == await metric(url, r'oddsengine_worker_restarts_total\{reason="frozen"\}')

        # a config that needs new processes gets them
        config.write_text(accepted)
        write_config(
            config, f"{redis_server.url}{'&' if '?' in redis_server.url else '?'}health_check_interval=60", port, channels=50
        )
        parent.process.send_signal(signal.SIGHUP)
        while len(parent.events("serving")) < 5 or is_running(second):
            assert 200 == (await get(f"{url}/v1/events"))[0], "the service never says that it is starting"
        assert [] == parent.events("config reloaded")[0]["needs_restart"]
        assert {1012, 1006} >= {await closed(socket) for socket in before}
        new = await sockets(stack, url, 4)

        # no orphans
        os.kill(parent.pid, signal.SIGKILL)
        assert {1012} == {await closed(socket) for socket in new}
        await wait_until(lambda: not any(map(is_running, workers_of(parent))), "the end of the workers")
        for sock in (await when_free("127.0.0.1", port, 0, Startup()))[0]:
            sock.close()


@pytest.fixture(autouse=True)
async def _no_orphans(tmp_path: Path) -> AsyncIterator[None]:
    yield
    for log in tmp_path.glob("*.log"):
        for pid in re.findall(r'"worker": (\d{2,})', log.read_text()):
            if is_running(int(pid)):
                os.kill(int(pid), signal.SIGKILL)
