"""Watches all shards as gateways do: positions and versions never go back, and nothing is suspended for a change of owner."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from oddsengine.common.tasks import end_tasks
from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.streams.clients.shared_reader import SharedReader
from oddsengine.streams.connection import open_client
from oddsengine.streams.follower import Follower
from oddsengine.streams.keys import shard_keys
from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oddsengine.domain.ids import MarketId
    from oddsengine.offer.entries.entry import Entry
    from oddsengine.streams.embedded import EmbeddedRedis


class ShardWatch:
    """Collects what was published, and what was wrong with it."""

    def __init__(self, shards: int) -> None:
        self.offers = [ReplicaOffer(()) for _ in range(shards)]
        self.violations: list[str] = []
        self.epochs = 0
        self._positions: list[tuple[int, int]] = [(0, 0)] * shards
        self._versions: dict[MarketId, int] = {}
        self._forbidden: frozenset[str] = frozenset()

    @property
    def open_markets(self) -> int:
        """The number of open markets."""
        return sum(market.state.status == "open" for offer in self.offers for market in offer.markets.values())

    async def has_settled(self) -> None:
        """Wait until markets of every shard are open, and none waits for its source."""
        async with asyncio.timeout(PATIENCE_S):
            while not all(
                any(market.state.status == "open" for market in offer.markets.values())
                and all(market.state.reason != "recovering" for market in offer.markets.values())
                for offer in self.offers
            ):
                await asyncio.sleep(0.02)

    def forbid(self, *reasons: str) -> None:
        """Note every market that is suspended for one of these reasons from now on."""
        self._forbidden = frozenset(reasons)

    def allow(self) -> None:
        """Forbid no reason any more."""
        self._forbidden = frozenset()

    def check(self) -> None:
        """Raise AssertionError if anything was wrong."""
        assert [] == self.violations[:5]

    def replaced(self, shard: int) -> None:
        """Check a loaded snapshot."""
        offer = self.offers[shard]
        if offer.epoch != self._positions[shard][0]:
            self.epochs += 1
        self._check(shard)

    def changed(self, shard: int, _entries: list[Entry]) -> None:
        """Check the state after some batches."""
        self._check(shard)

    def epoch_opened(self, _shard: int, _age_s: float) -> None:
        """Ignore a new epoch."""

    def went_stale(self, shard: int) -> None:
        """Note a silence."""
        if self._forbidden:
            self.violations.append(f"shard {shard} went stale")

    def went_live(self, _shard: int) -> None:
        """Ignore the end of a silence."""

    def _check(self, shard: int) -> None:
        offer = self.offers[shard]
        position = offer.epoch, offer.seq
        if position < self._positions[shard]:
            self.violations.append(f"shard {shard} went back from {self._positions[shard]} to {position}")
        self._positions[shard] = position
        for market in offer.markets.values():
            if market.v < self._versions.get(market.id, 0):
                self.violations.append(f"{market.id} went back from {self._versions[market.id]} to {market.v}")
            self._versions[market.id] = market.v
            if market.state.reason in self._forbidden:
                self.violations.append(f"{market.id} is suspended: {market.state.reason}, at {position}")
            if market.state.status != "open" and any(price for each in market.selections.values() for price in each.prices):
                self.violations.append(f"{market.id} has a price and is {market.state.status}")


@asynccontextmanager
async def watching(server: EmbeddedRedis, namespace: str, shards: int) -> AsyncIterator[ShardWatch]:
    """Follow all shards until the context is left."""
    client = open_client(server.url)
    watch = ShardWatch(shards)
    keys = [shard_keys(namespace, shard) for shard in range(shards)]
    reader = SharedReader(client, [each.changes for each in keys], time.monotonic)
    followers = [Follower(reader, shard, keys[shard], watch.offers[shard], watch, time.monotonic) for shard in range(shards)]
    tasks = [asyncio.create_task(run) for run in (reader.run(), *(follower.run() for follower in followers))]
    try:
        yield watch
    finally:
        await end_tasks(tasks)
        await client.aclose()
