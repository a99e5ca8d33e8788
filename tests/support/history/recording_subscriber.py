"""A subscriber that keeps what it held at every position: the few lines that any client needs, and how positions are read."""

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
from oddsengine.domain.ids import EventId, shard_of
from oddsengine.streams.positions import Position, decode_at

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


class Held(NamedTuple):
    """The view that a subscriber had of a market since a message; None if it was not on offer.

    Attributes:
        from_ms: when that was published.
        position: the position of the market's shard that it led to.
        market: the market.
    """

    from_ms: int
    position: Position
    market: dict[str, Any] | None


class Seen(NamedTuple):
    """What a subscriber may have held of a market at a position.

    Attributes:
        now: its views there: several where a gateway suspended it meanwhile because its shard was silent.
        then: its views after the next message, if that has entries of before the position too, and changes of the market.
    """

    now: list[dict[str, Any] | None]
    then: list[dict[str, Any] | None]

    def allows(self, published: dict[str, Any] | None) -> bool:
        """Check whether a state was published between the views: the next message has joined it with what has followed."""
        if not self.then:
            return False
        before, after = self.now[-1], self.then[0]
        if published is None or before is None or after is None or published == after:
            return published == after or before is None or after is None
        # A market that has left and come back begins with low versions.
        return bool(before["v"] < published["v"] < after["v"]) or after["v"] <= before["v"]


class RecordingSubscriber:
    """Follows a channel and keeps what it held of each market, by the times of the messages.

    Args:
        url: the stream.
        token: whose prices.
        channel: the channel.
        shards: how many shards there are.
    """

    def __init__(self, url: str, token: str, channel: str, shards: int) -> None:
        self._shards = shards
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
        #: of each shard, the positions that messages led to
        self._reached: list[list[Position]] = [[] for _ in range(shards)]

    def seen_at(self, market: str, shard: int, position: Position) -> Seen:
        """Return what was held of a market of a shard at a position."""
        reached, of_market = self._reached[shard], self.held[market]
        place = bisect_right(reached, position)
        since = reached[place - 1]
        now = [held.market for held in of_market if held.position == since]
        if not now:
            before = bisect_right(of_market, since, key=lambda held: held.position)
            now = [of_market[before - 1].market if before else None]
        is_between = since != position and place < len(reached)
        return Seen(now, [held.market for held in of_market if is_between and held.position == reached[place]])

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
                self._reach(message["at"])
                for market in self.markets.keys() | self.held.keys():
                    self._keep(market, round(time.time() * 1000))
        elif message["op"] == "delta":
            self._reach(message["at"])
            for change in message.get("markets", ()):
                self._merge(change)
                self._keep(change["id"], message["ts"])

    def _reach(self, at: str) -> None:
        self.at = at
        for shard, position in decode_at(at, self._shards).items():
            if self._reached[shard][-1:] != [position]:
                self._reached[shard].append(position)

    def _keep(self, market: str, from_ms: int) -> None:
        shard = shard_of(EventId(market.partition("/")[0]), self._shards)
        self.held[market].append(Held(from_ms, self._reached[shard][-1], copy.deepcopy(self.markets.get(market))))

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
