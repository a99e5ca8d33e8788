"""Costs of a change where nothing is sent: in a gateway, in memory and at a start, and through one Redis.

- *gateway*: entries as they come from Redis, 1,500 changes each, to 1,000 sessions that are on ten of 2,000 events each (as in
  `fanout`, Zipf), whose sockets take everything at no cost: processor time of a change.
- *memory*: what a market costs in a gateway that has loaded it and was not asked for it.
- *start*: loading a snapshot of 50,000 markets from Redis.
- *Redis*: how many changes a second, encoded already, go through one Redis to two followers; publisher and Redis share a core.
"""

from __future__ import annotations

import asyncio
import gc
import random
import time
import tracemalloc
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from bench.load.processes import LOAD_CORES, SERVER_CORE, module_running
from bench.load.publisher import build_offer, market_counts, shuffled_markets
from bench.load.system import redis_running
from bench.reporting.row import Row
from oddsengine.gateway.access.grants import Access
from oddsengine.gateway.hub.hub import Hub
from oddsengine.gateway.hub.settings import HubSettings
from oddsengine.gateway.protocol.client_messages import Subscribe
from oddsengine.gateway.state.replica import Replica
from oddsengine.offer.entries.entry import decode_entry
from oddsengine.offer.replica_offer import ReplicaOffer, lazy_market
from oddsengine.runtime.loop import tune_memory
from oddsengine.streams.connection import open_client
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.publisher import Publisher, encode, prepare
from oddsengine.streams.snapshots.stored import read_head, read_stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.changes import Record
    from oddsengine.offer.owned_offer import OwnedOffer
    from oddsengine.offer.replica_offer import LazyMarket

_SCENARIO: Final = "a change"
_CHANGES: Final = 1500
_ENTRIES: Final = 60
#: Entries before the measured ones.
_FIRST: Final = 10
_EVENTS: Final = 2000
_CHANNELS: Final = 10
_LOADED: Final = 50_000
#: Half of what a market needed while each was decoded as it arrived.
_MARKET_BYTES: Final = 572
_SECONDS: Final = 5.0


class _Sink(asyncio.Transport):
    """A socket that takes everything."""

    # In C, as with a real transport: two functions in Python for each session of a flush would be a tenth of what is measured.
    write = staticmethod(len)  # type: ignore[assignment]
    get_write_buffer_size = staticmethod(int)

    def is_closing(self) -> bool:
        return False


def interests_of(subscribers: int) -> list[list[int]]:
    """Return the events of each subscriber, some far more popular than others; the same in every run."""
    rng = random.Random(7)  # noqa: S311 - the same interests in every run
    weights = [1 / (rank + 1) for rank in range(_EVENTS)]
    found: list[list[int]] = []
    while len(found) < subscribers:
        chosen = dict.fromkeys(rng.choices(range(_EVENTS), weights, k=4 * _CHANNELS))
        if len(chosen) >= _CHANNELS:
            found.append(list(chosen)[:_CHANNELS])
    return found


def _records(owner: OwnedOffer) -> list[Record | LazyMarket]:
    """Return an offer's records as a follower reads them from a snapshot."""
    markets = {encode(record) for record in owner.markets.values()}
    others: list[Record | LazyMarket] = [record for record in owner.records() if encode(record) not in markets]
    return [*others, *(lazy_market(encoded, len(owner.profiles)) for encoded in markets)]


def _entries(owner: OwnedOffer, counts: Sequence[int]) -> list[bytes]:
    names, place, price = shuffled_markets(counts), 0, 2020
    entries: list[bytes] = []
    for number in range(_ENTRIES):
        for _ in range(_CHANGES):
            if place == len(names):
                place, price = 0, 4000 - price + 20
            owner.stage_prices(names[place], [("home", (price,), 950_000_000 // price)])
            place += 1
        batch = owner.commit(number)
        if batch is not None:
            entries.append(prepare(owner, batch).batch)
    return entries


async def _gateway_us(subscribers: int, *, even: bool) -> float:
    """Return the processor time of a change in microseconds."""
    counts = market_counts(_EVENTS, 5) if even else market_counts(_EVENTS, 1, 500)
    owner = build_offer(counts)
    owner.commit(0)
    replica = Replica(1)
    offer = replica.offers[0]
    offer.load(1, owner.seq, _records(owner))
    replica.stale_since.clear()
    # A clock that stands still while other processes run: no flush takes so long that prices rest after it.
    hub = Hub(replica, time.process_time, lambda: time.time_ns() // 1_000_000, HubSettings(history_ms=10_000))
    for chosen in interests_of(subscribers):
        session = hub.open(_Sink(), Access(subject="bench"))
        hub.handle(session, Subscribe(channels=[f"event:e{number}" for number in chosen]))
    encoded = _entries(owner, counts)
    began_s = 0.0
    for number, raw in enumerate(encoded):
        if number == _FIRST:
            began_s = time.process_time()
        entry = decode_entry(raw)
        offer.apply(entry)
        hub.staleness.changed(0, [entry])
        while hub.is_busy:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
        hub.sweep()
    return (time.process_time() - began_s) / (_CHANGES * (_ENTRIES - _FIRST)) * 1e6


def _market_bytes() -> float:
    """Return what a market needs in a gateway that nobody has asked for it."""
    owner = build_offer(market_counts(_EVENTS, _LOADED // _EVENTS))
    owner.commit(0)
    others: list[Record | LazyMarket] = [owner.meta(), *(entry.record for entry in owner.events.values())]
    stored = [encode(record) for record in owner.markets.values()]
    gc.collect()
    tracemalloc.start()
    offer = ReplicaOffer(())
    # Each is read into bytes of its own.
    offer.load(1, 1, [*others, *(lazy_market(bytes(bytearray(each)), 1) for each in stored)])
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used / len(offer.markets)


async def _load_s(url: str) -> float:
    """Return how long a gateway takes to load a shard from Redis, in seconds."""
    redis, keys = open_client(url), shard_keys("loaded", 0)
    owner = build_offer(market_counts(_EVENTS, _LOADED // _EVENTS))
    owner.commit(0)
    publisher = Publisher(redis, 0, keys, owner)
    await publisher.claim(1)
    began_s = time.perf_counter()
    stored = await read_stored(redis, keys, await read_head(redis, keys))
    offer = ReplicaOffer(())
    if stored is not None:
        stored.load_into(offer)
    took_s = time.perf_counter() - began_s
    await redis.aclose()
    if len(offer.markets) != _LOADED:
        raise RuntimeError(f"{len(offer.markets)} markets were loaded, not {_LOADED}")
    return took_s


def _through_redis(url: str) -> float:
    """Return how many changes a second go through a Redis to the slower one of two followers."""
    with ExitStack() as stack:
        publisher = stack.enter_context(module_running("bench.costs.stored", "publish", url, str(_EVENTS), "5", cores=LOAD_CORES))
        publisher.read_line()
        followers = [
            stack.enter_context(module_running("bench.costs.stored", "follow", url, cores=SERVER_CORE)) for _ in range(2)
        ]
        for each in followers:
            each.read_line()
        publisher.request("{}")
        time.sleep(1.0)
        for each in followers:
            each.request("{}")
        time.sleep(_SECONDS)
        return min(float(each.request("{}")["rate"]) for each in followers)


def run(subscribers: int = 1000) -> list[Row]:
    """Measure everything."""
    tune_memory()
    rows = []
    for even in (True, False):
        name = "Python in the gateway, even markets" if even else "Python in the gateway"
        value = min(asyncio.run(_gateway_us(subscribers, even=even)) for _ in range(3))
        rows.append(Row(scenario=_SCENARIO, metric=name, value=value, unit="us", goal=2.5, met=value <= 2.5))
    value, metric = _market_bytes(), "a market in a gateway"
    rows.append(Row(scenario=_SCENARIO, metric=metric, value=value, unit="B", goal=_MARKET_BYTES, met=value <= _MARKET_BYTES))
    with redis_running() as url:
        loaded_s = asyncio.run(_load_s(url))
        rate = _through_redis(url)
    metric = f"a gateway loads {_LOADED:,} markets"
    rows.append(Row(scenario=_SCENARIO, metric=metric, value=loaded_s, unit="s", goal=1.0, met=loaded_s <= 1.0))
    metric = "through one Redis to two followers"
    rows.append(Row(scenario=_SCENARIO, metric=metric, value=rate, unit="changes/s", goal=400_000, met=rate >= 400_000))
    return rows
