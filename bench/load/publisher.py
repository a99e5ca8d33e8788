"""Publish price changes at a set rate: the engine's end of a load, in its own process.

`python -m bench.load.publisher REDIS_URL EVENTS MARKETS_PER_EVENT MARKETS_OF_BUSIEST` reads `{"rate": deltas a second}` from
stdin and answers with what was published since the previous command. Events are `e0`, `e1` ..; every market has a home and an
away side, of which one moves, and all markets move equally often. With `"suspensions": true` one more market of `e0` is opened
and suspended twice a second, each time shortly after prices were published, so that it meets them on their way.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from typing import TYPE_CHECKING, Final

from redis.asyncio import Redis

from oddsengine.domain.changes import MarketIdentity, MarketState
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.offered_market import OfferedMarket, OfferedSelection
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.runtime.loop import new_runner
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.publisher import Publisher, prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLUSHES_PER_S: Final = 50
#: The market opens once in this many flushes, and is suspended halfway between.
_SUSPENSION_EVERY: Final = 24
_AFTER_PRICES_S: Final = 0.003
_SUSPENDED_IN: Final = EventId("e0")


def market_counts(events: int, markets: int, busiest: int = 0) -> list[int]:
    """Return the number of markets of each event: by Zipf's law from the busiest down, but at least `markets`."""
    return [max(markets, busiest // rank) for rank in range(1, events + 1)]


def build_offer(counts: Sequence[int]) -> OwnedOffer:
    """Build an offer with one event for each count of markets."""
    offer = OwnedOffer(("default",))
    offer.open_epoch(1)
    for number, markets in enumerate(counts):
        event = EventId(f"e{number}")
        offer.stage_event(Event(id=event, sport="football", competition=Competition("bench", "Bench"), name=f"Event {number}"))
        for market in range(markets):
            offer.stage_market(_market(event, market))
    return offer


def _market(event: EventId, number: int) -> OfferedMarket:
    return OfferedMarket(
        MarketId(f"{event}/total/ft/{number}"),
        MarketIdentity(event, "total", "ft", float(number), 1),
        MarketState("open", None, in_play=True),
        {key: OfferedSelection(key.title(), "active", (2000,)) for key in ("home", "away")},
    )


def shuffled_markets(counts: Sequence[int]) -> list[MarketId]:
    """Return all markets in the order in which they move: shuffled, so that popular events do not come first; always the same."""
    names = [MarketId(f"e{event}/total/ft/{market}") for event, markets in enumerate(counts) for market in range(markets)]
    random.Random(7).shuffle(names)  # noqa: S311 - every run must be the same
    return names


class _Suspensions:
    """Alternately open and suspend a market, after prices were published."""

    def __init__(self, offer: OwnedOffer, publisher: Publisher, market: OfferedMarket) -> None:
        self._offer = offer
        self._publisher = publisher
        self._market = market
        self._flushes = 0
        self.enabled = False

    async def follow_prices(self) -> None:
        """Open or suspend the market, if due after this flush of prices."""
        self._flushes += self.enabled
        place = self._flushes % _SUSPENSION_EVERY if self.enabled else None
        if place == 0:
            self._offer.stage_market(self._market)
        elif place == _SUSPENSION_EVERY // 2:
            await asyncio.sleep(_AFTER_PRICES_S)
            self._offer.suspend(self._market.id, "bench")
            batch = self._offer.commit(time.time_ns() // 1_000_000)
            if batch is not None:
                await self._publisher.publish(prepare(self._offer, batch))


async def _feed(url: str, counts: Sequence[int]) -> None:
    offer = build_offer(counts)
    redis = Redis.from_url(url)
    publisher = Publisher(redis, 0, shard_keys("odds", 0), offer)
    now_ms = time.time_ns() // 1_000_000
    offer.commit(now_ms)
    await publisher.claim(now_ms)
    names = shuffled_markets(counts)
    rate, published, place, price = 0.0, 0, 0, 2020
    suspensions = _Suspensions(offer, publisher, _market(_SUSPENDED_IN, counts[0]))
    due_s = started_s = time.monotonic()
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    command = asyncio.create_task(reader.readline())
    print(json.dumps({"ready": True}), flush=True)
    owed, last_write_s = 0.0, 0.0
    while True:
        if command.done():
            line = command.result()
            if not line:
                break
            seconds = time.monotonic() - started_s
            print(json.dumps({"published": published, "rate": published / seconds}), flush=True)
            asked = json.loads(line)
            rate, suspensions.enabled = float(asked["rate"]), bool(asked.get("suspensions"))
            published, started_s = 0, time.monotonic()
            command = asyncio.create_task(reader.readline())
        due_s = max(due_s + 1 / _FLUSHES_PER_S, time.monotonic() - 0.2)
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
        owed += rate / _FLUSHES_PER_S
        count = int(owed)
        owed -= count
        for _ in range(count):
            if place == len(names):
                place, price = 0, 4000 - price + 20
            offer.stage_prices(names[place], [("home", (price,), 950_000_000 // price)])
            place += 1
        batch = offer.commit(time.time_ns() // 1_000_000, heartbeat=time.monotonic() - last_write_s > 1)
        if batch is not None:
            await publisher.publish(prepare(offer, batch))
            last_write_s = time.monotonic()
            published += count
        await suspensions.follow_prices()
    await redis.aclose()


if __name__ == "__main__":
    with new_runner() as runner:
        runner.run(_feed(sys.argv[1], market_counts(*map(int, sys.argv[2:]))))
