"""The system under test, deployed as in production: Redis, a publisher or an engine, and a gateway on its own core."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.load.processes import LOAD_CORES, SERVER_CORE, ControlledProcess, leave_server_core, module_running, process_running
from tests.support.processes.ports import free_port
from tests.support.service import redis_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONFIG = """
[redis]
url = "{url}"
[engine]
shards = {shards}
[gateway]
port = {port}
workers = {workers}
heartbeat_ms = 60000
[limits]
slow_client_timeout_s = 600
[log]
level = "error"
"""

_ENGINE_CONFIG = """
[redis]
url = "{url}"
[engine]
shards = {shards}
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
#: Far longer than a gateway needs where nothing else runs.
_READY_WITHIN_S: Final = 60.0
#: The emulated provider accepts any.
_SECRETS = {"BETFAIR_APP_KEY": "bench", "BETFAIR_SESSION_TOKEN": "bench"}


class System:
    """A running gateway and publisher."""

    def __init__(self, gateway: ControlledProcess, publisher: ControlledProcess, port: int) -> None:
        self.gateway = gateway
        self.publisher = publisher
        self.port = port

    def set_rate(self, deltas_per_s: float, *, suspensions: bool = False) -> None:
        """Change the rate of the publisher, with or without suspensions."""
        self.publisher.request(json.dumps({"rate": deltas_per_s, "suspensions": suspensions}))


@contextmanager
def system_running(events: int, markets: int, busiest: int = 0, *, are_ready: bool = False) -> Iterator[System]:
    """Start everything and wait until the gateway is ready.

    Args:
        events: see `bench.load.publisher.market_counts`, as for the next two.
        markets: of each event.
        busiest: markets of the first event.
        are_ready: whether changes are encoded before the first is published.
    """
    size = [str(events), str(markets), str(busiest), *(["ready"] if are_ready else [])]
    with redis_running() as url, module_running("bench.load.publisher", url, *size, cores=LOAD_CORES) as publisher:
        publisher.read_line()
        port = free_port()
        with gateway_running(url, port) as gateway:
            yield System(gateway, publisher, port)


@contextmanager
def gateway_running(url: str, port: int, *, shards: int = 1, workers: int = 1) -> Iterator[ControlledProcess]:
    """Run `oddsengine gateway` on the server's core. Yield once it is ready."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "odds.toml"
        config.write_text(_CONFIG.format(url=url, port=port, shards=shards, workers=workers))
        command = [sys.executable, "-m", "oddsengine", "gateway", "--config", str(config)]
        with process_running(command, SERVER_CORE) as gateway:
            _await_ready(port)
            try:
                yield gateway
            finally:
                gateway.terminate()


@contextmanager
def engine_running(url: str, feed_port: int, *, shards: int = 1) -> Iterator[ControlledProcess]:
    """Run `oddsengine engine` on the load's cores, with one feed of Betfair's stream protocol on a port of loopback."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "odds.toml"
        config.write_text(_ENGINE_CONFIG.format(url=url, feed_port=feed_port, shards=shards))
        command = [sys.executable, "-m", "oddsengine", "engine", "--config", str(config), "--port", str(free_port())]
        os.environ.update(_SECRETS)
        with process_running(command, LOAD_CORES) as engine:
            try:
                yield engine
            finally:
                engine.terminate()


def read_metric(port: int, name: str) -> float:
    """Read a metric of a gateway, such as `oddsengine_slow_consumers_total`."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
        lines = response.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def _await_ready(port: int) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the gateway did not become ready")


@contextmanager
def redis_running() -> Iterator[str]:
    """Run an embedded Redis on the load's cores."""
    leave_server_core()
    with redis_in_thread() as url:
        yield url
