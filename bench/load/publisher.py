"""Publish price changes at a set rate: the engine's end of a load, in its own process.

`python -m bench.load.publisher REDIS_URL EVENTS MARKETS_PER_EVENT MARKETS_OF_BUSIEST [ready]` reads `{"rate": deltas a second}`
from stdin and answers with what was published since the previous command. Events are `e0`, `e1` ..; each market has a home and an
away side, of which one moves, and all markets move equally often. With `"suspensions": true` one more market of `e0` is opened
and suspended twice a second, each time shortly after prices were published, so that it meets them on their way. With `ready` each
change is encoded before the first is published, and its version stays as it was then: where a gateway takes more changes than one
engine makes, which are several engines' in an installation.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from typing import TYPE_CHECKING, Final

from msgspec import Raw
from redis.asyncio import Redis

from oddsengine.domain.changes import MarketIdentity, MarketState
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.offered_market import OfferedMarket, OfferedSelection
from oddsengine.offer.entries.entry import Entry, entry_of
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.runtime.loop import new_runner
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.publisher import Publication, Publisher, encode, prepare

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


class _Moves:
    """Moves the price of one market after the other, up in one round and down in the next."""

    def __init__(self, offer: OwnedOffer, counts: Sequence[int]) -> None:
        self._offer = offer
        self._names = shuffled_markets(counts)
        self._place, self._price = 0, 2020

    def stage(self, count: int) -> None:
        """Stage the moves of so many markets."""
        for _ in range(count):
            if self._place == len(self._names):
                self._place, self._price = 0, 4000 - self._price + 20
            self._offer.stage_prices(self._names[self._place], [("home", (self._price,), 950_000_000 // self._price)])
            self._place += 1


class ReadyMoves:
    """The same moves, encoded beforehand."""

    def __init__(self, offer: OwnedOffer, counts: Sequence[int]) -> None:
        self._offer = offer
        moves, self._names = _Moves(offer, counts), shuffled_markets(counts)
        self._runs = [(EventId(name.partition("/")[0]), 1) for name in self._names]
        self._keys = [f"m:{name}" for name in self._names]
        #: of each round the records of all markets, and their fragments
        self._rounds: list[tuple[list[bytes], list[bytes]]] = []
        for _ in range(2):
            moves.stage(len(self._names))
            batch = offer.commit(0)
            assert batch is not None  # noqa: S101 - every price has moved
            entry = entry_of(offer, batch)
            fragments = entry.fragments(0) or []
            encoded = dict(zip(entry.markets, zip(entry.records, fragments, strict=True), strict=True))
            records, texts = zip(*[encoded[name] for name in self._names], strict=True)
            self._rounds.append((list(records), list(texts)))
        self._place = self._round = 0

    def publication(self, count: int, ts_ms: int) -> Publication:
        """Return the next entry, with so many moves: at most one of each market."""
        self._offer.seq += 1
        markets = len(self._names)
        first = slice(self._place, self._place + min(count, markets))
        second = slice(0, max(0, first.stop - markets))
        records, fragments = (
            [*this[first], *following[second]]
            for this, following in zip(self._rounds[self._round], self._rounds[1 - self._round], strict=True)
        )
        names, runs, keys = ([*each[first], *each[second]] for each in (self._names, self._runs, self._keys))
        self._place = first.stop % markets
        if first.stop >= markets:
            self._round = 1 - self._round
        entry = Entry(self._offer.seq, ts_ms, 0, 0, [], [], names, runs, records, [Raw(encode(fragments))] if names else [])
        return Publication(self._offer.seq, encode(entry), dict(zip(keys, records, strict=True)))


async def _feed(url: str, counts: Sequence[int], *, are_ready: bool) -> None:
    offer = build_offer(counts)
    redis = Redis.from_url(url)
    publisher = Publisher(redis, 0, shard_keys("odds", 0), offer)
    now_ms = time.time_ns() // 1_000_000
    offer.commit(now_ms)
    moves = _Moves(offer, counts)
    ready = ReadyMoves(offer, counts) if are_ready else None
    await publisher.claim(now_ms)
    rate, published = 0.0, 0
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
        is_quiet = time.monotonic() - last_write_s > 1
        publication: Publication | None = None
        if ready is None:
            moves.stage(count)
            batch = offer.commit(time.time_ns() // 1_000_000, heartbeat=is_quiet)
            publication = None if batch is None else prepare(offer, batch)
        elif count or is_quiet:
            publication = ready.publication(count, time.time_ns() // 1_000_000)
        if publication is not None:
            await publisher.publish(publication)
            last_write_s = time.monotonic()
            published += count
        await suspensions.follow_prices()
    await redis.aclose()


if __name__ == "__main__":
    with new_runner() as runner:
        runner.run(_feed(sys.argv[1], market_counts(*map(int, sys.argv[2:5])), are_ready="ready" in sys.argv[5:]))
