"""The stream server of emulated exchanges, and the history it resumes from."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.emulators.betfair.history import ChangeHistory
from feeds.emulators.betfair.stream_server import StreamServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE_S = 30.0
AUTHENTICATION = {"op": "authentication", "id": 1, "appKey": "key", "session": "token"}
SUBSCRIPTION = {"op": "marketSubscription", "id": 2, "heartbeatMs": 5000}


class Exchange:
    """Markets that all change with every tick."""

    def __init__(self, markets: int = 2) -> None:
        self.markets = range(markets)
        self.ticks = 0

    @property
    def pt_ms(self) -> int:
        return 1_000_000 + self.ticks

    def tick(self) -> list[dict[str, Any]]:
        self.ticks += 1
        return [{"id": f"1.{market}", "tick": self.ticks} for market in self.markets]

    def image(self, market: int) -> dict[str, Any]:
        return {"id": f"1.{market}", "img": True, "tick": self.ticks}


class Client:
    """A subscriber's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, **message: Any) -> None:
        self.writer.write(orjson.dumps(message) + b"\r\n")
        await self.writer.drain()

    async def receive(self) -> dict[str, Any]:
        line = await asyncio.wait_for(self.reader.readline(), PATIENCE_S)
        message = orjson.loads(line)
        assert isinstance(message, dict)
        return message

    async def subscribe(self, **clocks: str) -> dict[str, Any]:
        """Authenticate and subscribe. Return the answer to the subscription."""
        assert "connection" == (await self.receive())["op"]
        await self.send(**AUTHENTICATION)
        assert "SUCCESS" == (await self.receive())["statusCode"]
        await self.send(**SUBSCRIPTION, **clocks)
        return await self.receive()


@asynccontextmanager
async def serving(markets: int = 2) -> AsyncIterator[StreamServer]:
    server = StreamServer(Exchange(markets), time.monotonic)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def connected(server: StreamServer) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(1, 10), st.data())
def test_a_resume_returns_exactly_the_changes_after_its_clock(counts: list[int], kept: int, data: st.DataObject) -> None:
    history = ChangeHistory("run", kept)
    for tick, count in enumerate(counts, start=1):
        history.append(tick, [{"tick": tick} for _ in range(count)])
    now = len(counts)
    tick = data.draw(st.integers(0, now))
    expected = [{"tick": number} for number, count in enumerate(counts, start=1) if number > tick for _ in range(count)]
    assert (expected if tick >= now - kept else None) == history.since("run", history.clk(tick), now)


@pytest.mark.parametrize(("initial_clk", "clk"), [("another run", "1"), ("run", "no clock"), ("run", "9")])
def test_an_unknown_clock_can_not_be_resumed_from(initial_clk: str, clk: str) -> None:
    history = ChangeHistory("run")
    history.append(1, [{}])
    assert history.since(initial_clk, clk, 1) is None


def test_a_restart_forgets_every_clock() -> None:
    history = ChangeHistory("run")
    history.append(1, [{}])
    history.restart("next run")
    assert history.since("run", history.clk(1), 1) is None
    assert history.since("next run", history.clk(1), 1) is None


async def test_a_subscription_is_answered_with_an_image_and_then_with_changes() -> None:
    async with serving() as server, connected(server) as client:
        assert "SUCCESS" == (await client.subscribe())["statusCode"]
        image = await client.receive()
        assert ("SUB_IMAGE", ["1.0", "1.1"]) == (image["ct"], [market["id"] for market in image["mc"]])
        server.step()
        assert [2, 2] == [market["tick"] for market in (await client.receive())["mc"]]


async def test_a_resume_is_answered_with_the_changes_since() -> None:
    async with serving() as server:
        async with connected(server) as client:
            await client.subscribe()
            image = await client.receive()
        server.step()
        async with connected(server) as client:
            await client.subscribe(initialClk=image["initialClk"], clk=image["clk"])
            delta = await client.receive()
    assert ("RESUB_DELTA", [2, 2]) == (delta["ct"], [market["tick"] for market in delta["mc"]])


async def test_a_refused_clock_leaves_the_connection_open() -> None:
    async with serving() as server, connected(server) as client:
        assert "INVALID_CLOCK" == (await client.subscribe(initialClk="another run", clk="1"))["errorCode"]
        await client.send(**SUBSCRIPTION)
        assert "SUCCESS" == (await client.receive())["statusCode"]


async def test_nothing_is_answered_before_authentication() -> None:
    async with serving() as server, connected(server) as client:
        await client.receive()
        await client.send(**SUBSCRIPTION)
        assert "NOT_AUTHORIZED" == (await client.receive())["errorCode"]
        assert b"" == await asyncio.wait_for(client.reader.read(), PATIENCE_S)


async def test_after_busy_an_image_carries_what_was_withheld() -> None:
    async with serving() as server, connected(server) as client:
        await client.subscribe()
        await client.receive()
        server.inject_fault("busy", 60.0)
        server.step()
        assert 503 == (await client.receive())["status"]
        server.inject_fault("busy", 0.0)
        server.step()
        assert "SUB_IMAGE" == (await client.receive())["ct"]


async def test_an_image_comes_in_segments_while_the_fault_lasts() -> None:
    async with serving(markets=12) as server, connected(server) as client:
        server.inject_fault("segment", 60.0)
        await client.subscribe()
        segments = [await client.receive() for _ in range(3)]
    assert ["SEG_START", "SEG", "SEG_END"] == [segment["segmentType"] for segment in segments]
    assert 12 == sum(len(segment["mc"]) for segment in segments)


async def test_reordered_ticks_are_swapped_in_pairs() -> None:
    async with serving() as server, connected(server) as client:
        await client.subscribe()
        await client.receive()
        server.inject_fault("reorder", 60.0)
        server.step()
        server.step()
        messages = [await client.receive() for _ in range(2)]
    assert [3, 2] == [message["mc"][0]["tick"] for message in messages]


async def test_a_stalled_provider_sends_no_changes() -> None:
    async with serving() as server, connected(server) as client:
        await client.subscribe()
        await client.receive()
        server.inject_fault("stall", 60.0)
        server.step()
        server.inject_fault("stall", 0.0)
        server.step()
        assert 3 == (await client.receive())["mc"][0]["tick"]


async def test_a_skewed_clock_moves_the_publish_time() -> None:
    async with serving() as server, connected(server) as client:
        await client.subscribe()
        before = (await client.receive())["pt"]
        server.inject_fault("skew", 60.0)
        server.step()
        assert -179_999 == (await client.receive())["pt"] - before


async def test_a_fault_can_be_injected_from_any_connection() -> None:
    async with serving() as server, connected(server) as client:
        await client.receive()
        await client.send(op="misbehave", id=1, kind="stall", seconds=30)
        assert "SUCCESS" == (await client.receive())["statusCode"]
        assert server.is_active("stall")
        await client.send(op="misbehave", id=2, kind="dance")
        assert "INVALID_INPUT" == (await client.receive())["errorCode"]
