"""Both ends of a shard for a test: an offer with its publisher, and a follower with its replica."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol

from redis.exceptions import RedisError

from oddsengine.common.tasks import end_tasks
from oddsengine.offer.offer import BEGINNING
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.streams.clients.shared_reader import SharedReader
from oddsengine.streams.connection import open_client
from oddsengine.streams.errors import DataLost
from oddsengine.streams.follower import Follower
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.publisher import Publisher, prepare
from tests.support.builders import an_event, an_offer_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from redis.asyncio import Redis

    from oddsengine.domain.changes import EventChange, MarketChange
    from oddsengine.offer.entries.entry import Entry

KEYS = shard_keys("test", 0)


class HasUrl(Protocol):
    """A Redis that can be connected to."""

    @property
    def url(self) -> str:
        """Its URL."""
        ...


class Owner:
    """An offer and its publisher, which brings the snapshot up to the stream with every entry, or rarely."""

    def __init__(self, redis: Redis, *, refresh_s: float = 0.0) -> None:
        self.publisher = Publisher(redis, 0, KEYS, OwnedOffer(("default",)), refresh_s=refresh_s, jump=int)

    @property
    def offer(self) -> OwnedOffer:
        return self.publisher.offer

    async def claimed(self, now_ms: int = 1_000_000) -> Owner:
        await self.publisher.load()
        await self.publisher.claim(now_ms)
        return self

    async def flush(self, *, heartbeat: bool = False) -> None:
        batch = self.offer.commit(0, heartbeat=heartbeat)
        if batch is not None:
            await self.publisher.publish(prepare(self.offer, batch))

    async def offers_of(self, prices: dict[str, int | None]) -> None:
        self.offer.stage_event(an_event())
        self.offer.stage_market(an_offer_of(prices=prices))
        await self.flush()

    async def offers(self, price: int = 2000, market: str = "e1/match_odds") -> None:
        self.offer.stage_event(an_event(market.partition("/")[0]))
        self.offer.stage_market(an_offer_of(market, {"home": price}))
        await self.flush()


class Reader:
    """A follower, its replica, and its notifications."""

    def __init__(self, redis: Redis, *, stale_after_s: float = 3.0) -> None:
        self.offer = ReplicaOffer(())
        self.heard: list[str] = []
        self.reader = SharedReader(redis, [KEYS.changes], time.monotonic)
        self.follower = Follower(self.reader, 0, KEYS, self.offer, self, time.monotonic, stale_after_s=stale_after_s)

    def replaced(self, _shard: int) -> None:
        self.heard.append("replaced")

    def changed(self, _shard: int, entries: list[Entry]) -> None:
        touched = {self.offer.markets[market].identity.event for entry in entries for market in entry.markets}
        if touched:
            self.heard.append(f"changed {','.join(sorted(touched))}")

    def epoch_opened(self, _shard: int, _age_s: float) -> None:
        """Ignore a new epoch."""

    def went_stale(self, _shard: int) -> None:
        self.heard.append("stale")

    def went_live(self, _shard: int) -> None:
        self.heard.append("live")


@asynccontextmanager
async def following(server: HasUrl, *, stale_after_s: float = 3.0) -> AsyncIterator[Reader]:
    """Run a follower on a connection of its own."""
    client = open_client(server.url)
    found = Reader(client, stale_after_s=stale_after_s)
    tasks = [asyncio.create_task(found.follower.run()), asyncio.create_task(found.reader.run())]
    try:
        yield found
    finally:
        await end_tasks(tasks)
        await client.aclose()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.005)


def same(owner: Owner, reader: Reader) -> bool:
    """Check whether a follower has what its owner has; the order of events that changed together does not matter."""

    def state(offer: OwnedOffer | ReplicaOffer) -> tuple[list[EventChange], list[MarketChange]]:
        changes = offer.changes_since(BEGINNING)
        return sorted(changes.events, key=lambda event: event.id), sorted(changes.markets, key=lambda market: market.id)

    return state(owner.offer) == state(reader.offer)


@asynccontextmanager
async def kept(owner: Owner, *, every_s: float = 0.02) -> AsyncIterator[None]:
    """Write heartbeats as an engine does: whatever was lost is written again in a new epoch."""

    async def keep() -> None:
        while True:
            await asyncio.sleep(every_s)
            try:
                await owner.flush(heartbeat=True)
            except DataLost:
                await owner.publisher.claim(1_000_000)
            except (RedisError, OSError):
                continue

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        await end_tasks([task])
