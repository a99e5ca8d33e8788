"""Several engines and a gateway as processes of their own, an emulated provider, and faults of the engines."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from feeds.emulators.core.market_model import MarketModel
from feeds.emulators.emulator import load_emulator
from oddsengine.common.tasks import end_tasks
from oddsengine.streams.embedded import EmbeddedRedis
from tests.support.faults.observing import Providers, Subscriber, is_near
from tests.support.processes.command import Process, command, free_port, get
from tests.support.service import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
    from pathlib import Path

    from tests.support.faults.observing import MarketKey

PROVIDER: Final = "betfair"
#: How old an open price may be without a fault: a flush, and a look of the subscriber, on a busy machine.
FRESH_S: Final = 1.0
#: How far published probabilities may differ from the model's.
_TOLERANCE: Final = 0.008
_SAMPLE_S: Final = 0.05
_CURRENT, _OUTDATED, _SUSPENDED = "current", "outdated", "suspended"
#: Reasons of suspensions that come with a change of owner.
HANDED_OVER_BADLY: Final = frozenset({"recovering", "engine_stopped", "stale", "source_down", "source_stale"})
_CONFIG: Final = """
[redis]
url = "{redis}"
[engine]
port = {port}
shards = {shards}
lease_s = {lease_s}
cross_market_guard = false
closed_event_ttl_s = 1000000
[gateway]
port = {gateway_port}
[profiles.default]
ladder = "decimal_3"
book_sum = 1.02
devig = "multiplicative"
[feeds.betfair]
adapter = "betfair"
{feed}
[feeds.betfair.supervision]
backoff_start_s = 0.05
backoff_ceiling_s = 0.3
"""


class RunningEngine:
    """A process of `oddsengine engine`.

    Args:
        process: the process.
        port: of its API.
    """

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port

    async def owned(self) -> list[int]:
        """Return the shards that it owns; none if it does not answer."""
        try:
            status, answer = await get(f"http://127.0.0.1:{self.port}/readyz")
        except (OSError, TimeoutError):
            return []
        return answer["shards"] if status == 200 and "shards" in answer else []

    async def is_feeder(self) -> bool:
        """Return whether it is connected to the provider."""
        try:
            _, answer = await get(f"http://127.0.0.1:{self.port}/v1/feeds")
        except (OSError, TimeoutError):
            return False
        return any("followed" not in feed for feed in answer["feeds"])

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it."""
        os.kill(self.process.pid, number)


class LawfulSubscriber(Subscriber):
    """A subscriber that checks every message: positions and versions never go back, and what is suspended has no price."""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self.violations: list[str] = []
        self._versions: dict[str, int] = {}
        self._positions: dict[str, tuple[int, int]] = {}

    def check(self, message: dict[str, Any]) -> None:
        """Check a message that was applied."""
        # Opaque to clients: this one checks the engine.
        for part in str(message.get("at") or "").split("."):
            if part:
                shard, epoch, seq = part.split("-")
                position = int(epoch, 16), int(seq, 16)
                if position < self._positions.get(shard, (0, 0)):
                    self.violations.append(f"shard {shard} went back from {self._positions[shard]} to {position}")
                self._positions[shard] = position
        for change in message.get("markets", ()):
            if change.get("removed"):
                continue
            market = self.client.state.markets[change["id"]]
            if market["v"] < self._versions.get(change["id"], 0):
                self.violations.append(f"{change['id']} went back from version {self._versions[change['id']]} to {market['v']}")
            self._versions[change["id"]] = market["v"]
            if market["status"] != "open" and any(each["price"] for each in market["selections"].values()):
                self.violations.append(f"{change['id']} is {market['status']} and has a price")


class Outcome(NamedTuple):
    """What a fault did.

    Attributes:
        fault: its name.
        outdated_s: until when, from its start, some open price was one that the provider had not quoted for `FRESH_S`.
        suspended: how many markets were suspended because of the change of owner.
        recovered_s: from when on everything was open, at prices that the provider had quoted within `FRESH_S`.
        violations: what must never be.
    """

    fault: str
    outdated_s: float
    suspended: int
    recovered_s: float
    violations: list[str]


class FailoverInstallation(Providers):
    """Everything that runs."""

    def __init__(
        self, emulators: Any, start: Callable[[], Awaitable[RunningEngine]], subscriber: LawfulSubscriber, watch_s: float
    ) -> None:
        super().__init__(emulators)
        #: how long everything must be current after a fault
        self._watch_s = watch_s
        self._start = start
        self.subscriber = subscriber
        self.engines: list[RunningEngine] = []

    async def start_engine(self) -> RunningEngine:
        """Start another engine."""
        engine = await self._start()
        self.engines.append(engine)
        return engine

    async def shared(self, *counts: int) -> None:
        """Wait until the engines own these numbers of shards, in any order."""
        found: list[int] = []
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            found = sorted([len(await engine.owned()) for engine in self.engines])
            if found == sorted(counts):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"engines own {found} shards, not {sorted(counts)}")

    def differences(self) -> list[str]:
        """Return how what the subscriber sees differs from the provider's prices."""
        now_s = time.monotonic()
        found: list[str] = []
        for key, market in self.model_markets(PROVIDER).items():
            seen = self.subscriber.at(key, now_s)
            if seen is None or seen.implied is None:
                found.append(f"{key} is not open: {None if seen is None else seen.reason}")
            elif not is_near(market.probabilities, seen.implied, _TOLERANCE):
                found.append(f"{key} is at {seen.implied}, the provider's is {market.probabilities}")
        return found

    async def all_open(self) -> None:
        """Wait until every market is open, at a price that the provider quoted a moment ago."""
        markets = self.model_markets(PROVIDER)
        await wait_until(lambda: all(self._state(key, time.monotonic()) == _CURRENT for key in markets), "everything current")

    async def settled(self) -> None:
        """Wait, with the provider paused, until the subscriber has exactly what the provider has."""
        self.pause(paused=True)
        try:
            await wait_until(lambda: not self.differences(), "the provider's state")
        finally:
            self.pause(paused=False)

    def _state(self, key: MarketKey, at_s: float) -> str:
        seen = self.subscriber.at(key, at_s)
        if seen is None or seen.implied is None:
            return _SUSPENDED
        market = self.model_markets(PROVIDER)[key]
        return _CURRENT if self.was_quoted(PROVIDER, market, seen, at_s, FRESH_S, _TOLERANCE) else _OUTDATED

    async def run_fault(self, name: str, inject: Callable[[], Coroutine[Any, Any, object]]) -> Outcome:
        """Inject a fault, wait until everything is current again, and judge what the subscriber saw.

        Args:
            name: of the fault.
            inject: injects it, and returns when it is over.
        """
        self.subscriber.violations.clear()
        began_s = now_s = time.monotonic()
        self.subscriber.discard_before(began_s)
        outdated_s = unsettled_s = began_s
        markets = self.model_markets(PROVIDER)
        injecting = asyncio.create_task(inject())
        try:
            # Judged as it happens: the provider's past is not kept for long.
            while not injecting.done() or now_s - max(began_s, unsettled_s) < self._watch_s:
                await asyncio.sleep(_SAMPLE_S)
                now_s = time.monotonic()
                states = [self._state(key, now_s) for key in markets]
                if _OUTDATED in states:
                    outdated_s = now_s
                if any(state != _CURRENT for state in states):
                    unsettled_s = now_s
                assert now_s - began_s < 2 * PATIENCE_S, f"{name}: not recovered: {self.differences()[:3]}"
            await injecting
        finally:
            await end_tasks([injecting])
        suspended = sum(
            any(seen.at_s > began_s and seen.reason in HANDED_OVER_BADLY for seen in self.subscriber.observations.get(key, ()))
            for key in self.model_markets(PROVIDER)
        )
        await self.settled()
        return Outcome(name, outdated_s - began_s, suspended, unsettled_s - began_s, list(self.subscriber.violations))


async def owner_killed(installation: FailoverInstallation) -> None:
    """Kill the first engine."""
    engine = installation.engines.pop(0)
    engine.send(signal.SIGKILL)
    await engine.process.process.wait()


async def feeder_killed(installation: FailoverInstallation) -> None:
    """Kill the engine that is connected to the provider, if there is another one."""
    for engine in list(installation.engines):
        if await engine.is_feeder():
            installation.engines.remove(engine)
            engine.send(signal.SIGKILL)
            await engine.process.process.wait()
            return


async def owner_stopped(installation: FailoverInstallation) -> None:
    """Stop the first engine, as an update does."""
    engine = installation.engines.pop(0)
    assert await engine.process.stop() == 0


async def owner_paused(installation: FailoverInstallation, seconds: float) -> None:
    """Pause the first engine, and wake it."""
    engine = installation.engines[0]
    engine.send(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        engine.send(signal.SIGCONT)


@asynccontextmanager
async def failover_installation(
    folder: Path, *, engines: int = 2, shards: int = 4, lease_s: float = 2.0, events: int = 8, seed: int = 7
) -> AsyncIterator[FailoverInstallation]:
    """Run it until the context is left.

    Args:
        folder: for configs and logs.
        engines: how many engines to start.
        shards: the number of shards.
        lease_s: `engine.lease_s`.
        events: matches of six markets, of which the provider offers five.
        seed: of the market model.
    """
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(EmbeddedRedis())
        emulated = load_emulator(PROVIDER)
        emulator = emulated.build(MarketModel(seed, events, time.time_ns() // 1_000_000))
        await emulator.start()
        stack.push_async_callback(emulator.stop)
        gateway_port = free_port()

        def write_config(port: int) -> Path:
            block = {**emulator.config(), "timeout_s": 1.0}
            feed = "\n".join(f"{key} = {orjson.dumps(value).decode()}" for key, value in block.items())
            path = folder / f"{port}.toml"
            path.write_text(
                _CONFIG.format(redis=redis.url, port=port, shards=shards, lease_s=lease_s, gateway_port=gateway_port, feed=feed)
            )
            return path

        async def start() -> RunningEngine:
            port = free_port()
            process = await stack.enter_async_context(
                command("engine", "--config", write_config(port), cwd=folder, environment=emulated.secrets)
            )
            return RunningEngine(process, port)

        subscriber = LawfulSubscriber(f"http://127.0.0.1:{gateway_port}")
        installation = FailoverInstallation({PROVIDER: emulator}, start, subscriber, lease_s + 2 * FRESH_S)
        for _ in range(engines):
            await installation.start_engine()
        await stack.enter_async_context(command("gateway", "--config", write_config(free_port()), cwd=folder))
        watching = [asyncio.create_task(subscriber.run()), asyncio.create_task(installation.watch_ticks())]
        try:
            each, more = divmod(shards, engines)
            await installation.shared(*[each + (number < more) for number in range(engines)])
            await installation.all_open()
            yield installation
            for task in watching:
                if task.done():
                    await task
        finally:
            await end_tasks(watching)
            for engine in installation.engines:
                engine.send(signal.SIGCONT)
