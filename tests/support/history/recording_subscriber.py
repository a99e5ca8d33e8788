"""A subscriber that keeps what it held at every time: the few lines that any client needs, and nothing of the engine's code."""

from __future__ import annotations

import asyncio
import copy
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Held(NamedTuple):
    """What was held from one time until before another one, by market."""

    from_ms: int
    until_ms: int
    markets: dict[str, Any]


class RecordingSubscriber:
    """Follows a channel and keeps every state that it held, with the times of the messages.

    Args:
        url: the stream.
        token: whose prices.
        channel: the channel.
    """

    def __init__(self, url: str, token: str, channel: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._channel = channel
        self.markets: dict[str, Any] = {}
        self.held: list[Held] = []
        self.at = ""
        self.resumed = 0
        #: since when the present state is held, None while that is not certain
        self._since_ms: int | None = None
        self._arriving: dict[str, Any] = {}

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow the channel, from where it was left if it was, until the context is left."""
        async with connect(self._url, additional_headers=self._headers, compression=None, max_size=None) as socket:
            await socket.recv()
            resume = {"resume": self.at} if self.at else {}
            await socket.send(orjson.dumps({"op": "subscribe", "id": 1, "channels": [self._channel], **resume}).decode())
            answer = orjson.loads(await socket.recv())
            assert answer["op"] == "subscribed", answer
            self.resumed += answer["resumed"]
            task = asyncio.create_task(self._follow(socket))
            try:
                yield
            finally:
                self._until(round(time.time() * 1000))
                self._since_ms = None
                await end_tasks([task])

    async def _follow(self, socket: Any) -> None:
        try:
            async for text in socket:
                self._take(orjson.loads(text))
        except ConnectionClosed:
            pass

    def _take(self, message: dict[str, Any]) -> None:
        if message["op"] == "snapshot":
            self._arriving |= {market["id"]: market for market in message["markets"]}
            if message["last"]:
                # When it was true is only known from now on.
                self._until(None)
                self.markets, self._arriving = self._arriving, {}
                self._since_ms = round(time.time() * 1000)
                self.at = message["at"]
        elif message["op"] == "delta":
            self._until(message["ts"])
            for change in message.get("markets", ()):
                self._merge(change)
            self._since_ms = message["ts"]
            self.at = message["at"]

    def _until(self, ms: int | None) -> None:
        if self._since_ms is not None and ms is not None and ms > self._since_ms:
            self.held.append(Held(self._since_ms, ms, copy.deepcopy(self.markets)))

    def _merge(self, change: dict[str, Any]) -> None:
        if change.get("removed"):
            self.markets.pop(change["id"], None)
        elif "event" in change:
            self.markets[change["id"]] = change
        else:
            market = self.markets[change["id"]]
            selections = change.pop("selections", {})
            market.update(change)
            for key, selection in selections.items():
                market["selections"][key].update(selection)
