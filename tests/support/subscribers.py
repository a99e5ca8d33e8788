"""Subscribers with different behaviour, which all must end with the state of the snapshot."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
from websockets.asyncio.client import connect

from oddsengine.client import OddsClient, OddsState
from tests.support.service import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.service import RunningService


class PriceRule:
    """Checks that no message has a price for a suspended or closed market or a removed selection, and that versions only grow."""

    def __init__(self) -> None:
        self.state = OddsState()
        self.versions: dict[str, int] = {}
        self.messages = 0

    def check(self, message: dict[str, Any]) -> None:
        """Apply a message and check the result."""
        self.messages += 1
        self.state.apply(message)
        for change in message.get("markets", ()):
            if change.get("removed"):
                continue
            market = self.state.markets[change["id"]]
            for key, selection in market["selections"].items():
                if market["status"] != "open" or selection["status"] != "active":
                    assert selection["price"] is None, (change, key)
            assert change["v"] >= self.versions.get(change["id"], 0), "versions only grow"
            self.versions[change["id"]] = change["v"]


class Steady:
    """Stays connected, and checks every message."""

    def __init__(self, service: RunningService, channel: str) -> None:
        self.client = OddsClient(service.base, [channel])
        self.rule = PriceRule()

    async def run(self) -> None:
        async for message in self.client.messages():
            self.rule.check(message)

    @property
    def state(self) -> OddsState:
        return self.client.state


class Flaky(Steady):
    """Disconnects at random moments and resumes, each time on a new connection."""

    def __init__(self, service: RunningService, channel: str, cuts: int) -> None:
        super().__init__(service, channel)
        self.cuts_left = cuts
        self._random = random.Random(1)

    async def run(self) -> None:
        while True:
            due = self._random.randint(2, 12)
            stream = self.client.messages()
            async with contextlib.aclosing(stream):
                async for message in stream:
                    self.rule.check(message)
                    due -= 1
                    if due <= 0 and self.cuts_left > 0:
                        self.cuts_left -= 1
                        break


class Sluggish:
    """Reads only now and then, through the smallest possible buffers."""

    def __init__(self, service: RunningService, channel: str, *, reads_every_s: float) -> None:
        self._url = service.base.replace("http", "ws") + "/v1/stream"
        self._address = ("127.0.0.1", service.port)
        self._channel = channel
        self._pause_s = reads_every_s
        self._catching_up = asyncio.Event()
        self.rule = PriceRule()
        self.state = self.rule.state

    def catch_up(self) -> None:
        """Read without pauses from now on."""
        self._catching_up.set()

    async def run(self) -> None:
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.setblocking(False)
        await asyncio.get_running_loop().sock_connect(raw, self._address)
        async with connect(self._url, sock=raw, compression=None, max_size=None, max_queue=1, ping_interval=None) as connection:
            await connection.send(orjson.dumps({"op": "subscribe", "channels": [self._channel]}).decode())
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause_s):
                        await self._catching_up.wait()
                with contextlib.suppress(TimeoutError):
                    while True:
                        async with asyncio.timeout(0.3):
                            self.rule.check(orjson.loads(await connection.recv()))


@asynccontextmanager
async def subscribers_running(*subscribers: Steady | Sluggish) -> AsyncIterator[None]:
    """Run subscribers. A failed check of one fails the test."""
    tasks = [asyncio.create_task(subscriber.run()) for subscriber in subscribers]
    try:
        yield
        for task in tasks:
            if task.done():
                await task
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, AssertionError):
            raise result


async def assert_equal_to_snapshot(service: RunningService, channel: str, *subscribers: Steady | Sluggish) -> None:
    """Wait until every subscriber has exactly the state of the snapshot, with prices and versions."""
    for subscriber in subscribers:
        if isinstance(subscriber, Sluggish):
            subscriber.catch_up()
    await service.wait_published()
    snapshot = await service.get(f"/v1/snapshot?channel={channel}")
    events = {event["id"]: event for event in snapshot["events"]}
    markets = {market["id"]: market for market in snapshot["markets"]}
    assert markets
    for subscriber in subscribers:
        name = type(subscriber).__name__
        await wait_until(
            lambda subscriber=subscriber: subscriber.state.markets == markets and subscriber.state.events == events,  # type: ignore[misc]
            f"the state of the snapshot at {name}",
        )
