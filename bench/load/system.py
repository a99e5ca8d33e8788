"""The system under test as it is deployed: Redis, a feeder in the engine's place, a gateway on a core of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.load.processes import LOAD_CORES, SERVER_CORE, Talker, module, started
from oddsengine.streams.embedded import EmbeddedRedis

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONFIG = """
[redis]
url = "{url}"
[gateway]
port = {port}
heartbeat_ms = 60000
[limits]
slow_client_timeout_s = 600
[log]
level = "error"
"""

_ENGINE_CONFIG = """
[redis]
url = "{url}"
[profiles.default]
book_sum = 1.05
[feeds.betfair]
adapter = "betfair"
host = "127.0.0.1"
port = {feed_port}
tls = false
names = false
heartbeat_ms = 500
[log]
level = "error"
"""
#: The emulated provider takes any.
_SECRETS = {"BETFAIR_APP_KEY": "bench", "BETFAIR_SESSION_TOKEN": "bench"}


class System:
    """A running system: where its gateway listens, and how fast its feeder goes."""

    def __init__(self, gateway: Talker, feeder: Talker, port: int) -> None:
        self.gateway = gateway
        self.feeder = feeder
        self.port = port

    def set_rate(self, deltas_per_s: float, *, suspensions: bool = False) -> None:
        """Publish at another rate, and a suspension now and then."""
        self.feeder.ask(json.dumps({"rate": deltas_per_s, "suspensions": suspensions}))


@contextmanager
def system_running(events: int, markets: int, busiest: int = 0) -> Iterator[System]:
    """Start it all, and wait until the gateway is ready; see `bench.load.feeder.market_counts`."""
    size = [str(events), str(markets), str(busiest)]
    with redis_running() as url, module("bench.load.feeder", url, *size, cores=LOAD_CORES) as feeder:
        feeder.line()
        port = free_port()
        with gateway_running(url, port) as gateway:
            yield System(gateway, feeder, port)


@contextmanager
def gateway_running(url: str, port: int) -> Iterator[Talker]:
    """Run `oddsengine gateway` on the server's core until it has everything, and on."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "odds.toml"
        config.write_text(_CONFIG.format(url=url, port=port))
        command = [sys.executable, "-m", "oddsengine", "gateway", "--config", str(config)]
        with started(command, SERVER_CORE) as gateway:
            _await_ready(port)
            try:
                yield gateway
            finally:
                gateway.process.terminate()


@contextmanager
def engine_running(url: str, feed_port: int) -> Iterator[Talker]:
    """Run `oddsengine engine` beside the load, on one feed that speaks Betfair's stream protocol on a port of loopback."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "odds.toml"
        config.write_text(_ENGINE_CONFIG.format(url=url, feed_port=feed_port))
        command = [sys.executable, "-m", "oddsengine", "engine", "--config", str(config), "--port", str(free_port())]
        os.environ.update(_SECRETS)
        with started(command, LOAD_CORES) as engine:
            try:
                yield engine
            finally:
                engine.process.terminate()


def counted(port: int, name: str) -> float:
    """Read one of a gateway's own metrics, such as `oddsengine_slow_consumers_total`."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
        lines = response.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def free_port() -> int:
    """Find a port that nobody listens on."""
    import socket  # noqa: PLC0415 - here only

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _await_ready(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the gateway does not become ready")


@contextmanager
def redis_running() -> Iterator[str]:
    """Run an embedded Redis beside the load."""
    ready: list[str] = []
    begun, ended = threading.Event(), threading.Event()

    async def run() -> None:
        async with EmbeddedRedis() as server:
            ready.append(server.url)
            begun.set()
            await asyncio.to_thread(ended.wait)

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    begun.wait()
    try:
        yield ready[0]
    finally:
        ended.set()
        thread.join()
