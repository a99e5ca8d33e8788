"""What a supervisor makes of what its feed claims, against a provider that says what the test says."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson

from feeds.adapters.betfair.codec import BetfairCodec, Subscription
from feeds.feed import Feed
from feeds.supervision.settings import Supervision
from feeds.supervision.states import FeedState, Trigger
from feeds.supervision.supervisor import Supervisor
from feeds.transports.byte_streams import TcpTransport
from oddsengine.common.tasks import end_tasks
from oddsengine.domain.feed_updates import SourceStatus
from oddsengine.sourcing.agreement import agrees
from oddsengine.sourcing.source_book import SourceBook
from tests.support.builders import betfair_market
from tests.support.service import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

    from oddsengine.domain.feed_updates import UpdateBatch

QUICK = Supervision(lag_limit_s=1.0, quiet_in_play_s=1.0, backoff_start_s=0.01, backoff_ceiling_s=0.02, breaker_failures=1000)


class Book:
    """A sink that holds what the feed says, and what it was said to be worth."""

    def __init__(self) -> None:
        self.book = SourceBook("src")
        self.healths: list[str] = []

    def receive(self, batch: UpdateBatch) -> None:
        for update in batch.updates:
            self.book.apply(update, 0)
            if isinstance(update, SourceStatus):
                self.healths.append(update.health)

    def agrees(self, batch: UpdateBatch) -> bool:
        return agrees(self.book, batch)


class Provider:
    """Speaks Betfair's protocol to one client at a time: takes it through the handshake, then says what it is told to say."""

    def __init__(self) -> None:
        self.port = 0
        self.image = betfair_market(inPlay=True)
        self.image_age_ms = 0
        self.has_images = True
        self.subscription = 0
        self._writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._send({"op": "connection"})
        try:
            while line := await reader.readline():
                request = orjson.loads(line)
                self._send({"op": "status", "id": request["id"], "statusCode": "SUCCESS"})
                if request["op"] == "marketSubscription":
                    self.subscription = request["id"]
                    if self.has_images:
                        self.say(self.image, ct="SUB_IMAGE", initialClk="i", pt=self.now_ms() - self.image_age_ms)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    @staticmethod
    def now_ms() -> int:
        """Tell the time by a clock that is a minute ahead."""
        return time.time_ns() // 1_000_000 + 60_000

    def say(self, *changes: dict[str, Any], **fields: Any) -> None:
        message = {"op": "mcm", "id": self.subscription, "clk": "c", "pt": self.now_ms(), "mc": list(changes)}
        self._send({**message, **fields})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._writer is not None
        self._writer.write(orjson.dumps(message) + b"\r\n")

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()


@asynccontextmanager
async def supervised(supervision: Supervision = QUICK) -> AsyncIterator[tuple[Provider, Supervisor, Book]]:
    provider, book = Provider(), Book()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    transport = TcpTransport("127.0.0.1", server.sockets[0].getsockname()[1], tls=False)
    codec = BetfairCodec("src", "key", "token", Subscription(heartbeat_ms=5000))
    supervisor = Supervisor("src", Feed(("src",), codec, transport, verifier=codec), book, supervision)
    running = asyncio.create_task(supervisor.run())
    try:
        await until(lambda: supervisor.state is FeedState.LIVE, "live")
        yield provider, supervisor, book
    finally:
        await end_tasks([running])
        provider.close()
        server.close()
        await server.wait_closed()


def price(odds: float) -> dict[str, Any]:
    return {"id": "1.1", "rc": [{"id": 11, "batb": [[0, odds, 10.0]]}]}


async def test_messages_that_come_late_are_not_trusted_until_they_come_in_time() -> None:
    """On the same connection, and the provider's word that it is live does not make them."""
    async with supervised(Supervision(lag_limit_s=1.0, quiet_in_play_s=0.0)) as (provider, supervisor, book):
        then_ms = provider.now_ms()
        provider.say(price(2.0), pt=then_ms)
        await asyncio.sleep(1.2)
        provider.say(price(2.1), pt=then_ms + 1)
        await until(lambda: supervisor.state is FeedState.LAGGING, "the lag")
        assert "lagging" == book.healths[-1]
        assert supervisor.lag.lag_ms >= 1_100
        provider.say(price(2.2))
        await until(lambda: supervisor.state is FeedState.LIVE, "catching up")
        assert ["live", "lagging", "live"] == book.healths
        assert 1 == supervisor.counters.connections


async def test_a_provider_that_says_it_is_behind_is_believed() -> None:
    async with supervised() as (provider, supervisor, book):
        provider.say(status=503)
        await until(lambda: supervisor.state is FeedState.LAGGING, "the lag")
        provider.say(price(2.0))
        await until(lambda: supervisor.state is FeedState.LIVE, "catching up")
        assert ["live", "lagging", "live"] == book.healths


async def test_a_quiet_market_is_told_from_a_frozen_feed_by_a_sample() -> None:
    """The sample says what is held: nothing happens, again and again."""
    async with supervised() as (_, supervisor, book):
        await until(lambda: supervisor.counters.samples >= 3, "some samples")
        assert (FeedState.LIVE, ["live"]) == (supervisor.state, book.healths)
        assert 1 == supervisor.counters.connections


async def test_a_frozen_feed_is_given_up_and_believed_again_only_once_it_has_moved() -> None:
    async with supervised() as (provider, supervisor, book):
        provider.image = {**betfair_market(inPlay=True), "rc": [{"id": 11, "batb": [[0, 3.0, 10.0]]}]}
        await until(lambda: supervisor.counters.continuity_lost == 1, "the loss")
        assert "stale" == book.healths[-1]
        reasons = [change.reason for change in supervisor.status.changes if change.trigger is Trigger.WENT_STALE]
        assert ["frozen: a fresh sample says something else than what was streamed"] == reasons
        await until(lambda: supervisor.state is FeedState.RECOVERING, "another connection")
        await asyncio.sleep(0.3)
        assert FeedState.RECOVERING is supervisor.state, "it said so before and stood still"
        provider.say(price(3.1))
        await until(lambda: supervisor.state is FeedState.LIVE, "live")
        assert "live" == book.healths[-1]
        assert 3 == supervisor.counters.connections, "what it did not tell meanwhile is read anew"


async def test_a_recovery_that_never_ends_is_given_up() -> None:
    supervision = Supervision(recovery_timeout_s=0.3, backoff_start_s=0.01, backoff_ceiling_s=0.02, breaker_failures=1000)
    async with supervised(supervision) as (provider, supervisor, _):
        provider.has_images = False
        supervisor._feed.codec.reset()
        provider.close()
        text = "no complete recovery within 0.3 s"
        await until(lambda: any(text == change.reason for change in supervisor.status.changes), "the end")


async def test_a_fault_of_the_adapter_costs_its_feed_the_connection_and_nobody_else_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with supervised() as (provider, supervisor, book):
        with monkeypatch.context() as patch:
            patch.setattr(BetfairCodec, "receive_data", divide_by_zero)
            provider.say(price(2.0))
            await until(lambda: supervisor.counters.continuity_lost == 1, "the loss")
            assert "down" == book.healths[-1]
            text = "the adapter failed: ZeroDivisionError('integer division or modulo by zero')"
            assert text in [change.reason for change in supervisor.status.changes]
        await until(lambda: supervisor.state is FeedState.LIVE, "live again")
        assert "live" == book.healths[-1]


def divide_by_zero(_: BetfairCodec, data: bytes) -> list[Any]:
    return [len(data) // 0]


async def test_a_recovery_does_not_make_up_for_messages_that_come_late() -> None:
    """The image after a reconnection is whole, and a second and a half old."""
    limits = Supervision(lag_limit_s=1.0, quiet_in_play_s=0.0, backoff_start_s=0.01, backoff_ceiling_s=0.02)
    async with supervised(limits) as (provider, supervisor, book):
        provider.image_age_ms = 1_500
        provider.close()
        await until(lambda: supervisor.state is FeedState.LAGGING, "the lag")
        assert ["live", "down"] == book.healths[:2]
        assert {"lagging"} == set(book.healths[2:])
        provider.say(price(2.2))
        await until(lambda: supervisor.state is FeedState.LIVE, "catching up")
        assert "live" == book.healths[-1]


async def test_a_lost_connection_is_gone_at_once_without_the_collector() -> None:
    """It has large buffers, and the collector comes seldom."""
    async with supervised() as (provider, supervisor, _):
        gc.disable()
        try:
            lost = weakref.ref(supervisor._connection)
            provider.close()
            await until(lambda: supervisor.counters.connections == 2 and supervisor.state is FeedState.LIVE, "another one")
            assert lost() is None
        finally:
            gc.enable()
