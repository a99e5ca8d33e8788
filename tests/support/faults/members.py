"""The processes of an installation: started with configs of their own, and found by what they do."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import orjson

from tests.support.faults.relay import Relay
from tests.support.processes.command import Process, command, get
from tests.support.processes.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AsyncExitStack
    from pathlib import Path

_FAKETIME: Final = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
#: The sum of the reciprocals of a market's published odds.
BOOK_SUM: Final = 1.02
_CONFIG: Final = """
[redis]
url = "{redis}"
[engine]
port = {port}
shards = {shards}
lease_s = {lease_s}
cross_market_guard = false
closed_event_ttl_s = 1000000
[feeder]
port = {port}
[gateway]
port = {gateway_port}
workers = {workers}
worker_timeout_s = 2.0
heartbeat_ms = 1000
[profiles.default]
ladder = "decimal_3"
book_sum = {book_sum}
devig = "multiplicative"
[feeds.betfair]
adapter = "betfair"
{feed}
[feeds.betfair.supervision]
backoff_start_s = 0.05
backoff_ceiling_s = 0.3
"""


class Arrangement(NamedTuple):
    """Which processes an installation has.

    Attributes:
        engines: how many; they connect feeds unless there are feeders.
        feeders: how many, one of which is connected to the provider.
        workers: of the gateway.
        redis: the topology.
        server_binary: the program of the server; empty for the one that is found.
        is_relayed: whether each process is connected to Redis, and the subscriber to the gateway, through a relay of its own.
        clocks: by role, how far its clocks are off, as `faketime` says it; it can be changed. Empty: no clock can.
        shards: the number of shards.
        lease_s: `engine.lease_s`.
        events: matches of six markets, of which the provider offers five.
        move_share: the share of them that move in a tenth of a second.
    """

    engines: int = 2
    feeders: int = 0
    workers: int = 1
    redis: Literal["server", "sentinel", "cluster"] = "server"
    server_binary: str = ""
    is_relayed: bool = False
    clocks: tuple[str, ...] = ()
    shards: int = 4
    lease_s: float = 2.0
    events: int = 8
    move_share: float = 0.2


def faked_clock(file: Path, offset: str) -> dict[str, str]:
    """Return the environment of a process whose clock is off as a file says, which is written."""
    file.write_text(offset)
    return {
        "LD_PRELOAD": _FAKETIME,
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def set_clock(file: Path, offset: str) -> None:
    """Set a clock off, such as `+3600`."""
    changed = file.with_suffix(".new")
    changed.write_text(offset)
    changed.replace(file)


class Member:
    """A process of an installation.

    Args:
        process: the process.
        port: of its API.
        clock: the file that says how far its clock is off; None where it can't be changed.
        relay: its way to Redis; None if it has a direct one.
    """

    def __init__(self, process: Process, port: int, clock: Path | None, relay: Relay | None = None) -> None:
        self.process = process
        self.port = port
        self.relay = relay
        self._clock = clock

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.process.process.returncode is None

    async def owned(self) -> list[int]:
        """Return the shards that an engine owns; none if it does not answer."""
        try:
            status, answer = await get(f"http://127.0.0.1:{self.port}/readyz")
        except (OSError, TimeoutError):
            return []
        return answer["shards"] if status == 200 and "shards" in answer else []

    async def is_feeder(self) -> bool:
        """Return whether an engine or a feeder is connected to the provider."""
        try:
            _, answer = await get(f"http://127.0.0.1:{self.port}/v1/feeds")
        except (OSError, TimeoutError):
            return False
        return any("followed" not in feed for feed in answer["feeds"])

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it."""
        os.kill(self.process.pid, number)

    async def kill(self) -> None:
        """Kill it."""
        self.send(signal.SIGKILL)
        await self.process.process.wait()

    def set_clock(self, offset: str) -> None:
        """Set its clock off, such as `+3600`."""
        assert self._clock is not None
        set_clock(self._clock, offset)


class Members:
    """All processes, by role.

    Args:
        stack: what ends them.
        folder: for configs and logs.
        arrangement: which there are at first.
        redis_url: the Redis.
        gateway_port: where the gateway listens.
        feed: the config of the feed.
        secrets: what the feed finds in its environment.
    """

    def __init__(
        self,
        stack: AsyncExitStack,
        folder: Path,
        arrangement: Arrangement,
        redis_url: str,
        gateway_port: int,
        feed: Mapping[str, Any],
        secrets: Mapping[str, str],
    ) -> None:
        self.arrangement = arrangement
        self.of: dict[str, list[Member]] = {"engine": [], "feeder": [], "gateway": []}
        self._stack = stack
        self._folder = folder
        self._redis_url = redis_url
        self._gateway_port = gateway_port
        self._feed = "\n".join(f"{key} = {orjson.dumps(value).decode()}" for key, value in feed.items())
        self._secrets = secrets

    async def start(self, role: str) -> Member:
        """Start a process of a role: engine, feeder or gateway."""
        port = free_port()
        config = self._folder / f"{port}.toml"
        arrangement = self.arrangement
        relay = None
        if arrangement.is_relayed:
            relay = Relay(int(self._redis_url.rpartition(":")[2]))
            await relay.start()
            self._stack.push_async_callback(relay.stop)
        config.write_text(
            _CONFIG.format(
                redis=self._redis_url if relay is None else f"redis://127.0.0.1:{relay.port}",
                port=port,
                shards=arrangement.shards,
                lease_s=arrangement.lease_s,
                gateway_port=self._gateway_port,
                workers=arrangement.workers,
                book_sum=BOOK_SUM,
                feed=self._feed,
            )
        )
        environment, clock = dict(self._secrets), None
        if arrangement.clocks:
            clock = self._folder / f"{port}.clock"
            offset = arrangement.clocks[len(self.of[role]) % len(arrangement.clocks)] if role == "engine" else "+0"
            environment |= faked_clock(clock, offset)
        options = ["--no-feeders"] if role == "engine" and arrangement.feeders else []
        starting = command(role, "--config", config, *options, cwd=self._folder, environment=environment)
        member = Member(await self._stack.enter_async_context(starting), port, clock, relay)
        self.of[role].append(member)
        return member

    def wake(self) -> None:
        """Resume those that are paused, so that they can be ended."""
        for members in self.of.values():
            for member in members:
                if member.is_running:
                    member.send(signal.SIGCONT)
