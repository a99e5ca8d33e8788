"""An engine and gateways in separate processes on one Redis."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from oddsengine.streams.embedded import EmbeddedRedis

COMMAND = [sys.executable, "-m", "oddsengine"]
CONFIG = """
[redis]
url = "{url}"
[gateway]
port = 0
[feeds.sim]
adapter = "simulator"
seed = 3
matches = 4
"""


class Process:
    """A running command and its log."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []

    async def logged(self, event: str, times: int = 1) -> list[dict[str, Any]]:
        """Read the log until an event occurs this many times, and return those lines."""
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            while len(found := [line for line in self.lines if line["event"] == event]) < times:
                line = await self.process.stderr.readline()
                assert line, self.lines
                self.lines.append(json.loads(line))
        return found


@asynccontextmanager
async def running(*arguments: str, cwd: Path) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(*COMMAND, *arguments, stderr=asyncio.subprocess.PIPE, cwd=cwd)
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        async with asyncio.timeout(PATIENCE_S):
            rest = (await process.stderr.read()).decode()
            assert 0 == await process.wait(), rest
        assert "Traceback" not in rest, rest


async def test_a_killed_gateway_worker_is_restarted(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    """On SIGTERM every client gets a `bye` before its socket is closed."""
    (tmp_path / "odds.toml").write_text(CONFIG.format(url=redis_server.url))
    async with running("engine", "-c", "odds.toml", cwd=tmp_path) as engine:
        (publishing,) = await engine.logged("publishing")
        async with running("gateway", "-c", "odds.toml", "--workers", "2", cwd=tmp_path) as gateway:
            url = (await gateway.logged("workers"))[0]["url"]
            workers = {line["worker"] for line in await gateway.logged("serving", 2)}
            assert 2 == len(workers)
            os.kill(min(workers), signal.SIGKILL)
            await gateway.logged("worker exited, restarting")
            again = {line["worker"] for line in await gateway.logged("serving", 3)}
            assert 3 == len(again)
            async with connect(url.replace("http", "ws") + "/v1/stream") as socket:
                await socket.send('{"op":"subscribe","channels":["sport:football"]}')
                while (message := orjson.loads(await socket.recv()))["op"] != "snapshot" or not message["markets"]:
                    pass
                market = message["markets"][0]["id"]
                gateway.process.send_signal(signal.SIGTERM)
                heard = []
                try:
                    while True:
                        heard.append(orjson.loads(await socket.recv())["op"])
                except ConnectionClosed as end:
                    assert end.rcvd is not None
                    assert ("bye", 1012) == (heard[-1], end.rcvd.code)
        base = publishing["metrics"].removesuffix("/metrics")
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{base}/v1/markets/{market.replace('/', '%2F')}/explain") as response:
                assert market == (await response.json())["market"]
            async with http.get(publishing["metrics"]) as response:
                assert "oddsengine_markets" in await response.text()


async def test_separate_roles_need_a_redis_in_the_config(tmp_path: Path) -> None:
    for role in ("engine", "gateway"):
        process = await asyncio.create_subprocess_exec(*COMMAND, role, stderr=asyncio.subprocess.PIPE, cwd=tmp_path)
        _, err = await process.communicate()
        assert 2 == process.returncode
        assert "redis.url is empty" in " ".join(err.decode().replace("│", " ").split())
