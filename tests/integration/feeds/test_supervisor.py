"""What the supervisor does with a feed, against a provider that the test scripts."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from feeds.adapters.betfair import BetfairCodec, Subscription
from feeds.feed import Feed
from feeds.supervision.settings import Supervision
from feeds.supervision.states import FeedState, Trigger
from feeds.supervision.supervisor import Supervisor
from feeds.transports.byte_streams import TcpTransport
from oddsengine.domain.feed_updates import SourceStatus
from oddsengine.sourcing.agreement import agrees
from oddsengine.sourcing.source_book import SourceBook
from tests.support.builders import betfair_market
from tests.support.service import wait_until
from tests.support.tasks import in_background

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from feeds.feed import CodecEvent, Connection
    from oddsengine.domain.feed_updates import UpdateBatch

QUICK = Supervision(lag_limit_s=1.0, quiet_in_play_s=2.0, backoff_start_s=0.01, backoff_ceiling_s=0.02, breaker_failures=1000)


class BookSink:
    """Holds what the feed sends, and every health that was published."""

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
    """Speaks Betfair's protocol to one client at a time: answers the handshake, then sends what it is given."""

    def __init__(self) -> None:
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
                        self.send(self.image, ct="SUB_IMAGE", initialClk="i", pt=self.now_ms() - self.image_age_ms)
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()

    @staticmethod
    def now_ms() -> int:
        """Return the time by a clock that is a minute ahead."""
        return time.time_ns() // 1_000_000 + 60_000

    def send(self, *changes: dict[str, Any], **fields: Any) -> None:
        message = {"op": "mcm", "id": self.subscription, "clk": "c", "pt": self.now_ms(), "mc": list(changes)}
        self._send({**message, **fields})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._writer is not None
        self._writer.write(orjson.dumps(message) + b"\r\n")

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()


class FragileCodec(BetfairCodec):
    """A codec with a bug that can be switched on."""

    is_broken = False

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        if self.is_broken:
            self.is_broken = False
            return [len(data) // 0]  # type: ignore[list-item]
        return super().receive_data(data)


class ObservedTransport:
    """A TCP transport that knows its last connection, without keeping it."""

    def __init__(self, port: int) -> None:
        self._transport = TcpTransport("127.0.0.1", port, tls=False)
        self.last: weakref.ref[Connection] | None = None

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        async with self._transport.connect() as connection:
            self.last = weakref.ref(connection)
            yield connection


class Supervised(NamedTuple):
    """A supervisor with what is on either side of it."""

    provider: Provider
    transport: ObservedTransport
    codec: FragileCodec
    supervisor: Supervisor
    sink: BookSink


@asynccontextmanager
async def supervised(supervision: Supervision = QUICK) -> AsyncIterator[Supervised]:
    provider, sink = Provider(), BookSink()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    transport = ObservedTransport(server.sockets[0].getsockname()[1])
    codec = FragileCodec("src", "key", "token", Subscription(heartbeat_ms=5000))
    supervisor = Supervisor("src", Feed(("src",), codec, transport, verifier=codec), sink, supervision)
    try:
        async with in_background(supervisor.run()):
            await wait_until(lambda: supervisor.state is FeedState.LIVE, "live")
            yield Supervised(provider, transport, codec, supervisor, sink)
    finally:
        provider.close()
        server.close()
        await server.wait_closed()


def price(odds: float) -> dict[str, Any]:
    return {"id": "1.1", "rc": [{"id": 11, "batb": [[0, odds, 10.0]]}]}


async def test_late_messages_are_not_trusted_until_they_are_on_time_again() -> None:
    """All on one connection, whatever the provider claims."""
    async with supervised(Supervision(lag_limit_s=1.0, quiet_in_play_s=0.0)) as (provider, _, _, supervisor, sink):
        then_ms = provider.now_ms()
        provider.send(price(2.0), pt=then_ms)
        await asyncio.sleep(1.2)
        provider.send(price(2.1), pt=then_ms + 1)
        await wait_until(lambda: supervisor.state is FeedState.LAGGING, "the lag")
        assert "lagging" == sink.healths[-1]
        assert supervisor.lag.lag_ms >= 1_100
        provider.send(price(2.2))
        await wait_until(lambda: supervisor.state is FeedState.LIVE, "catching up")
        assert ["live", "lagging", "live"] == sink.healths
        assert 1 == supervisor.counters.connections


async def test_a_provider_that_reports_a_lag_is_lagging() -> None:
    async with supervised() as (provider, _, _, supervisor, sink):
        provider.send(status=503)
        await wait_until(lambda: supervisor.state is FeedState.LAGGING, "the lag")
        provider.send(price(2.0))
        await wait_until(lambda: supervisor.state is FeedState.LIVE, "catching up")
        assert ["live", "lagging", "live"] == sink.healths


async def test_a_quiet_market_stays_live_while_snapshots_confirm_it() -> None:
    async with supervised() as (_, _, _, supervisor, sink):
        await wait_until(lambda: supervisor.counters.samples >= 3, "some snapshots")
        assert (FeedState.LIVE, ["live"]) == (supervisor.state, sink.healths)
        assert 1 == supervisor.counters.connections


async def test_a_frozen_feed_is_closed_and_trusted_again_only_after_a_change() -> None:
    async with supervised() as (provider, _, _, supervisor, sink):
        provider.image = {**betfair_market(inPlay=True), "rc": [{"id": 11, "batb": [[0, 3.0, 10.0]]}]}
        await wait_until(lambda: supervisor.counters.continuity_lost == 1, "the loss")
        assert "stale" == sink.healths[-1]
        reasons = [change.reason for change in supervisor.status.changes if change.trigger is Trigger.WENT_STALE]
        assert ["frozen: a verification snapshot contradicts the stream"] == reasons
        await wait_until(lambda: supervisor.state is FeedState.RECOVERING, "another connection")
        await asyncio.sleep(0.3)
        assert FeedState.RECOVERING is supervisor.state, "the last connection claimed to be live too"
        provider.send(price(3.1))
        await wait_until(lambda: supervisor.state is FeedState.LIVE, "live")
        assert "live" == sink.healths[-1]
        assert 3 == supervisor.counters.connections, "what changed meanwhile is read in full"


async def test_a_recovery_that_does_not_complete_in_time_is_stale() -> None:
    supervision = Supervision(recovery_timeout_s=0.3, backoff_start_s=0.01, backoff_ceiling_s=0.02, breaker_failures=1000)
    async with supervised(supervision) as (provider, _, codec, supervisor, _):
        provider.has_images = False
        codec.reset()
        provider.close()
        text = "no complete recovery within 0.3 s"
        await wait_until(lambda: any(text == change.reason for change in supervisor.status.changes), "the timeout")


async def test_a_bug_in_an_adapter_costs_its_feed_the_connection_and_nothing_else() -> None:
    async with supervised() as (provider, _, codec, supervisor, sink):
        codec.is_broken = True
        provider.send(price(2.0))
        await wait_until(lambda: supervisor.counters.continuity_lost == 1, "the loss")
        text = "the adapter failed: ZeroDivisionError('integer division or modulo by zero')"
        assert text in [change.reason for change in supervisor.status.changes]
        await wait_until(lambda: supervisor.state is FeedState.LIVE, "live again")
        assert ["live", "down", "live"] == sink.healths


async def test_a_recovery_from_late_messages_is_lagging() -> None:
    """The image after a reconnection is complete, and a second and a half old."""
    limits = Supervision(lag_limit_s=1.0, quiet_in_play_s=0.0, backoff_start_s=0.01, backoff_ceiling_s=0.02)
    async with supervised(limits) as (provider, _, _, supervisor, sink):
        provider.image_age_ms = 1_500
        provider.close()
        await wait_until(lambda: supervisor.state is FeedState.LAGGING, "the lag")
        assert ["live", "down"] == sink.healths[:2]
        assert {"lagging"} == set(sink.healths[2:])
        provider.send(price(2.2))
        await wait_until(lambda: supervisor.state is FeedState.LIVE, "catching up")
        assert "live" == sink.healths[-1]


async def test_a_lost_connection_is_freed_without_the_garbage_collector() -> None:
    """It holds large buffers, and the collector runs rarely."""
    async with supervised() as (provider, transport, _, supervisor, _):
        gc.disable()
        try:
            lost = transport.last
            assert lost is not None
            provider.close()
            await wait_until(lambda: supervisor.counters.connections == 2 and supervisor.state is FeedState.LIVE, "another one")
            assert lost() is None
        finally:
            gc.enable()
