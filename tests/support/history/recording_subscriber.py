"""A subscriber that keeps what it held at every time: the few lines that any client needs, and nothing of the engine's code."""

from __future__ import annotations

import asyncio
import copy
import time
from bisect import bisect_right
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from websockets.asyncio.client import connect

from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


class Held(NamedTuple):
    """The view that a subscriber had of a market since a time; None if it was not on offer."""

    from_ms: int
    market: dict[str, Any] | None


class RecordingSubscriber:
    """Follows a channel and keeps what it held of each market, by the times of the messages.

    Args:
        url: the stream.
        token: whose prices.
        channel: the channel.
    """

    def __init__(self, url: str, token: str, channel: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._channel = channel
        self._arriving: dict[str, Any] = {}
        self.markets: dict[str, Any] = {}
        self.held: dict[str, list[Held]] = defaultdict(list)
        #: from when to when all that was published had been received
        self.certain: list[tuple[int, int]] = []
        self.at = ""
        self.resumed = 0

    def held_at(self, market: str, at_ms: int) -> dict[str, Any] | None:
        """Return what was held of a market at a time."""
        of_market = self.held[market]
        place = bisect_right(of_market, at_ms, key=lambda held: held.from_ms)
        return of_market[place - 1].market if place else None

    def is_behind(self, market: str, at_ms: int, published: dict[str, Any] | None) -> bool:
        """Check whether an older version was held at a time, and within a second the published one, or a later one."""
        held = self.held_at(market, at_ms)
        later = [each.market for each in self.held[market] if at_ms < each.from_ms < at_ms + 1000]
        if published is None:
            return None in later
        is_older = held is None or held["v"] < published["v"]
        return is_older and any(each is not None and each["v"] >= published["v"] for each in later)

    @asynccontextmanager
    async def following(self, settled: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        """Follow the channel, from where it was left if it was, until the context is left.

        Args:
            settled: waits until everything was received that was published before.
        """
        async with connect(self._url, additional_headers=self._headers, compression=None, max_size=None) as socket:
            await socket.recv()
            resume = {"resume": self.at} if self.at else {}
            request = {"op": "subscribe", "id": 1, "channels": [self._channel], "confirm": True, **resume}
            await socket.send(orjson.dumps(request).decode())
            while (message := orjson.loads(await socket.recv()))["op"] != "live":
                self._take(message)
            from_ms = round(time.time() * 1000)
            task = asyncio.create_task(self._follow(socket))
            try:
                yield
                until_ms = round(time.time() * 1000)
                await settled()
                self.certain.append((from_ms, until_ms))
            finally:
                await end_tasks([task])

    async def _follow(self, socket: Any) -> None:
        async for text in socket:
            self._take(orjson.loads(text))

    def _take(self, message: dict[str, Any]) -> None:
        if message["op"] == "subscribed":
            self.resumed += message["resumed"]
        elif message["op"] == "snapshot":
            self._arriving |= {market["id"]: market for market in message["markets"]}
            if message["last"]:
                self.markets, self._arriving = self._arriving, {}
                for market in self.markets.keys() | self.held.keys():
                    self._keep(market, round(time.time() * 1000))
                self.at = message["at"]
        elif message["op"] == "delta":
            for change in message.get("markets", ()):
                self._merge(change)
                self._keep(change["id"], message["ts"])
            self.at = message["at"]

    def _keep(self, market: str, from_ms: int) -> None:
        self.held[market].append(Held(from_ms, copy.deepcopy(self.markets.get(market))))

    def _merge(self, change: dict[str, Any]) -> None:
        if change.get("removed"):
            self.markets.pop(change["id"], None)
        elif "event" in change:
            self.markets[change["id"]] = dict(change)
        else:
            market = self.markets[change["id"]]
            market.update({name: value for name, value in change.items() if name != "selections"})
            for key, selection in change.get("selections", {}).items():
                market["selections"][key].update(selection)
