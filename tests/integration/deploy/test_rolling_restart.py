"""Gateways restart one by one behind the proxies of deploy/, under load: no client sees an error."""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from oddsengine.client import OddsClient, Problem
from oddsengine.common.tasks import end_tasks
from oddsengine.runtime.processes.startup import Step
from tests.support.credentials import Certificates
from tests.support.processes.ports import free_port
from tests.support.processes.role import running
from tests.support.programs.proxies import needs_proxies, shipped, trusting
from tests.support.service import wait_until

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from oddsengine.streams.embedded import EmbeddedRedis

CONFIG = """
[redis]
url = "{url}"
[gateway]
trusted_proxies = ["127.0.0.1/32"]
heartbeat_ms = 1000
drain_delay_s = 2.0
[limits]
idle_timeout_s = 75
[feeds.sim]
adapter = "simulator"
matches = 1
"""
CHANNEL = "sport:football"
PROXIES = ("nginx", "haproxy")


class Load:
    """The clients of one proxy: two that follow, an event stream, and one that asks without a pause.

    Args:
        base: the URL of the proxy.
        tls: what its clients trust.
    """

    def __init__(self, base: str, tls: ssl.SSLContext) -> None:
        self._base = base
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls))
        self.problems: list[Problem] = []
        self.answers: list[tuple[str, int]] = []
        self.streams: list[str] = []
        self.clients = [OddsClient(base, [CHANNEL], ssl=tls, on_problem=self.problems.append) for _ in range(2)]

    async def run(self) -> None:
        """Follow and ask until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for client in self.clients:
                    group.create_task(self._follow(client))
                group.create_task(self._listen())
                group.create_task(self._ask())
        finally:
            await self._http.close()

    async def _follow(self, client: OddsClient) -> None:
        async for _ in client.messages():
            pass

    async def _listen(self) -> None:
        """Read an event stream; when it says goodbye, open another one when it was asked to."""
        while True:
            async with self._http.get(f"{self._base}/v1/sse?channel={CHANNEL}") as response:
                self.answers.append(("sse", response.status))
                async for line in response.content:
                    if line.startswith(b"data: "):
                        message: dict[str, Any] = orjson.loads(line[6:])
                        self.streams.append(message["op"])
                        if message["op"] == "bye":
                            wait_s = message["reconnect_ms"] / 1000
            assert "bye" == self.streams[-1], "it ended without a goodbye"
            await asyncio.sleep(wait_s)

    async def _ask(self) -> None:
        checks = {"quotes": [{"market": "none", "selection": "home", "price": 2.0}]}
        while True:
            async with self._http.get(f"{self._base}/v1/snapshot?channel={CHANNEL}") as response:
                self.answers.append(("snapshot", response.status))
                await response.read()
            async with self._http.post(f"{self._base}/v1/quotes/check", json=checks) as response:
                self.answers.append(("check", response.status))
            await asyncio.sleep(0.03)

    @property
    def is_current(self) -> bool:
        """Whether all clients show events that are not stale."""
        return all(client.connected and client.state.events and not client.state.stale for client in self.clients)


def is_trusted_again(log: Path, number: int) -> bool:
    """Check whether HAProxy has found a gateway down, and up since."""
    states = re.findall(rf"Server gateways/gateway{number} is (UP|DOWN)", log.read_text())
    return "DOWN" in states and states[-1] == "UP"


@needs_proxies
async def test_gateways_are_replaced_one_by_one_behind_both_proxies(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    config = tmp_path / "odds.toml"
    config.write_text(CONFIG.format(url=redis_server.url))
    certificates = Certificates(tmp_path)
    tls = trusting(certificates)
    ports = [free_port(), free_port()]
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(running("engine", config, port=0))
        gateways = [await stack.enter_async_context(running("gateway", config, port=port)) for port in ports]
        await engine.reached(Step.READY)
        for gateway in gateways:
            await gateway.reached(Step.READY)
        loads = [
            Load(await stack.enter_async_context(shipped(name, tmp_path / name, ports, certificates)), tls) for name in PROXIES
        ]
        tasks = [asyncio.create_task(load.run()) for load in loads]
        stack.push_async_callback(end_tasks, tasks)

        def steady() -> bool:
            for task in tasks:
                if task.done():
                    task.result()
            return all(load.is_current and "delta" in load.streams for load in loads)

        await wait_until(steady, "that all follow")
        for number, (port, gateway) in enumerate(zip(ports, gateways, strict=True), 1):
            await gateway.stop()
            again = await stack.enter_async_context(running("gateway", config, port=port))
            await again.reached(Step.READY)
            await wait_until(partial(is_trusted_again, tmp_path / "haproxy" / "log", number), "HAProxy's trust")
            await wait_until(steady, "that all follow again")
        for name, load in zip(PROXIES, loads, strict=True):
            assert {200} == {status for _, status in load.answers}, (name, [each for each in load.answers if each[1] != 200])
            assert {"1012"} == {problem.code for problem in load.problems}, (name, load.problems)
            assert 2 <= sum(client.reconnects for client in load.clients), "each gateway had clients"
            assert "bye" in load.streams
