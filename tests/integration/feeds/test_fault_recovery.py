"""Faults in a running service: the provider misbehaves, Redis dies. No price that may be wrong stays open."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from feeds.adapters.betfair import BetfairCodec, Subscription
from feeds.emulators.betfair.stream_server import StreamServer
from feeds.emulators.simulator import SimulatorConfig, simulated_exchange
from feeds.emulators.simulator.fixtures import Pace
from feeds.feed import Feed
from feeds.supervision.settings import Supervision
from feeds.supervision.states import FeedState
from feeds.supervision.supervisor import Supervisor
from feeds.transports.byte_streams import TcpTransport
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.sourcing.dump import dump_book
from tests.support.service import RunningService, quick_settings, running_service, wait_until
from tests.support.subscribers import Steady, assert_equal_to_snapshot, subscribers_running
from tests.support.tasks import in_background, stop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

STEADY_PACE = Pace(minutes_per_s=2.0, before_s=10.0, goal_s=1.0)


class Provider:
    """The simulated provider, its feed, and the service that runs on it."""

    def __init__(
        self, service: RunningService, server: StreamServer, ticking: asyncio.Task[None], supervisor: Supervisor
    ) -> None:
        self.service = service
        self.server = server
        self.ticking = ticking
        self.supervisor = supervisor

    async def unplug(self) -> None:
        await stop(self.ticking)
        await self.server.stop()

    async def plug_in(self, port: int) -> None:
        """Start another server on the same exchange. It does not know the clocks of the first one."""
        self.server = StreamServer(self.server.exchange, time.monotonic, tick_s=0.05, initial_clk="another run")
        await self.server.start(port=port)
        self.ticking = asyncio.create_task(self.server.run())

    @property
    def live(self) -> bool:
        return self.supervisor.state is FeedState.LIVE

    def open_markets(self) -> int:
        offers = self.service.engine.pipeline.offers
        return sum(market.state.status == "open" for offer in offers for market in offer.markets.values())

    def differences(self) -> list[str]:
        """Compare the engine's source book with the provider's markets, one by one."""
        book = self.service.engine.pipeline.books["src"]
        held = {dumped["market"]: dumped for dumped in dump_book(book, 0)}
        truth = {market.id: market for market in self.server.exchange.markets}
        # A settled market is missing from the provider's images; it stays closed here until it is retired.
        found = [f"ghost market {ghost}" for ghost in held.keys() - truth.keys() if held[ghost]["status"] != "closed"]
        for key, market in truth.items():
            dumped = held.get(key)
            if dumped is None:
                found.append(f"missing market {key}")
                continue
            if dumped["status"] != market.definition["status"].lower():
                found.append(f"{key}: status {dumped['status']}")
            for (runner, handicap), (back, lay) in market.books.items():
                ref = f"{runner}@{handicap:g}" if handicap else str(runner)
                if [[*row] for row in back] != dumped["runners"][ref]["back"] or [[*row] for row in lay] != dumped["runners"][
                    ref
                ]["lay"]:
                    found.append(f"{key} {ref}: {back} {lay} is {dumped['runners'][ref]}")
        return found


@asynccontextmanager
async def provided(*, own_redis: bool = False) -> AsyncIterator[Provider]:
    exchange = simulated_exchange(SimulatorConfig(seed=11, matches=5, pace=STEADY_PACE), round(time.time() * 1000))
    server = StreamServer(exchange, time.monotonic, tick_s=0.05)
    await server.start()
    ticking = asyncio.create_task(server.run())
    provider: Provider | None = None
    try:
        async with running_service(quick_settings(closed_event_ttl_s=1e6), own_redis=own_redis) as service:
            service.engine.receive(UpdateBatch("src", None, [SourceStatus("down", "not connected yet")]))
            codec = BetfairCodec("src", "key", "token", Subscription(heartbeat_ms=500))
            feed = Feed(("src",), codec, TcpTransport("127.0.0.1", server.port, tls=False), verifier=codec)
            supervisor = Supervisor(
                "src", feed, service.engine, Supervision(backoff_start_s=0.02, backoff_ceiling_s=0.5, breaker_failures=1000)
            )
            provider = Provider(service, server, ticking, supervisor)
            async with in_background(supervisor.run()):
                await wait_until(lambda: provider.live and provider.open_markets() > 5, "open markets")
                yield provider
    finally:
        await stop(ticking if provider is None else provider.ticking)
        await (server if provider is None else provider.server).stop()


async def settle(provider: Provider, *subscribers: Steady) -> None:
    await wait_until(lambda: provider.live, "the feed to be live")
    provider.server.paused = True
    await wait_until(lambda: not provider.differences(), "the provider's prices")
    await assert_equal_to_snapshot(provider.service, "sport:football", *subscribers)


@pytest.mark.parametrize("kind", ["drop", "garbage", "truncate", "image", "duplicate", "segment", "busy"])
async def test_after_a_fault_the_published_state_is_the_providers(kind: str) -> None:
    async with provided() as provider:
        steady = Steady(provider.service, "sport:football")
        async with subscribers_running(steady):
            for _ in range(3):
                provider.server.inject_fault(kind, 0.4)
                await asyncio.sleep(0.6)
            await settle(provider, steady)
        assert steady.rule.messages > 3, "prices changed meanwhile"


async def test_an_image_corrects_reordered_messages() -> None:
    """Reordered absolute values leave an older price in place; an image replaces it."""
    async with provided() as provider:
        provider.server.inject_fault("reorder", 1.0)
        await asyncio.sleep(1.2)
        provider.server.inject_fault("image")
        await settle(provider)


async def test_a_silent_feed_is_suspended_and_recovers() -> None:
    """The socket is open, but nothing was received for two and a half heartbeats."""
    async with provided() as provider:
        provider.server.inject_fault("half_open", 60.0)
        await wait_until(lambda: provider.open_markets() == 0, "suspension")
        provider.server.inject_fault("half_open", 0.0)
        await wait_until(lambda: provider.open_markets() > 5, "reopening")
        await settle(provider)


async def test_an_unplugged_provider_suspends_everything_and_another_one_is_read_from_its_image() -> None:
    """The other provider does not know the clocks of the first one."""
    async with provided() as provider:
        port = provider.server.port
        await provider.unplug()
        await wait_until(lambda: provider.open_markets() == 0, "suspension")
        await provider.plug_in(port)
        await wait_until(lambda: provider.open_markets() > 5, "reopening")
        await settle(provider)


async def test_a_refused_clock_costs_an_image() -> None:
    async with provided() as provider:
        provider.server.inject_fault("refuse_clk", 60.0)
        provider.server.inject_fault("drop", 0.0)
        await wait_until(lambda: provider.supervisor.counters.dropped > 0, "the refusal")
        await settle(provider)


async def test_a_dropped_connection_resumes_without_an_image() -> None:
    async with provided() as provider:
        before = provider.supervisor.counters.connections
        provider.server.inject_fault("drop", 0.0)
        await wait_until(lambda: provider.supervisor.counters.connections > before and provider.live, "the new connection")
        assert 0 == provider.supervisor.counters.dropped
        await settle(provider)


async def test_a_killed_redis_costs_an_epoch_and_no_state() -> None:
    """Subscribers are warned. Once Redis is back they receive everything, with positions of a new epoch."""
    async with provided(own_redis=True) as provider:
        service = provider.service
        steady = Steady(service, "sport:football")
        async with subscribers_running(steady), service.socket() as socket:
            await socket.subscribe("sport:football")
            epoch = service.hub.replica.offers[0].epoch
            os.kill(service.redis_pid, signal.SIGKILL)
            await wait_until(lambda: service.hub.replica.offers[0].epoch > epoch, "a new epoch")
            await wait_until(lambda: service.hub.replica.ready, "readiness")
            assert "snapshot" == (await socket.receive_until("snapshot"))["op"]
            await settle(provider, steady)


async def test_a_frozen_redis_is_announced_as_stale_and_then_live_and_nothing_is_lost() -> None:
    async with provided(own_redis=True) as provider:
        service = provider.service
        steady = Steady(service, "sport:football")
        async with subscribers_running(steady), service.socket() as socket:
            await socket.subscribe("sport:football")
            os.kill(service.redis_pid, signal.SIGSTOP)
            try:
                await socket.receive_until("stale")
                await service.get("/readyz", 503)
            finally:
                os.kill(service.redis_pid, signal.SIGCONT)
            await socket.receive_until("live")
            await settle(provider, steady)


async def test_faults_can_be_injected_into_a_simulator_from_outside() -> None:
    async with provided() as provider:
        reader, writer = await asyncio.open_connection("127.0.0.1", provider.server.port)
        await reader.readline()
        writer.write(b'{"op":"misbehave","id":1,"kind":"stall","seconds":30}\r\n{"op":"misbehave","id":2,"kind":"dance"}\r\n')
        assert b"SUCCESS" in await reader.readline()
        assert b"unknown fault 'dance'" in await reader.readline()
        assert provider.server.is_active("stall")
        writer.close()
        await writer.wait_closed()
