"""Publish entries that are encoded already, as fast as Redis takes them, or follow them: what a Redis can carry.

`python -m bench.costs.stored publish REDIS_URL EVENTS MARKETS_PER_EVENT` encodes entries of 1,500 changes each, prints a line,
and publishes them from then on, again and again, each time at the next position. `.. follow REDIS_URL` loads and
follows what is there. Both answer every line with the changes a second since the last one.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Final

import msgspec

from bench.load.publisher import build_offer, market_counts, shuffled_markets
from oddsengine.common.tasks import end_tasks
from oddsengine.offer.entries.entry import Entry
from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.runtime.loop import new_runner
from oddsengine.runtime.telemetry.logs import configure_logging
from oddsengine.streams.clients.shared_reader import SharedReader
from oddsengine.streams.connection import open_client
from oddsengine.streams.follower import Follower
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.publisher import Publication, Publisher, encode, prepare

_CHANGES: Final = 1500
_KEYS: Final = shard_keys("stored", 0)
#: What an entry begins with: an array of its fields (MessagePack specification, array family), which are fewer than 16.
_HEAD: Final = bytes((0x90 | len(msgspec.structs.fields(Entry)),))


async def _answer(count: list[int]) -> None:
    """Answer every line on stdin, until there are no more."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    began_s = time.monotonic()
    while await reader.readline():
        now_s = time.monotonic()
        print(json.dumps({"rate": count[0] / (now_s - began_s)}), flush=True)
        began_s, count[0] = now_s, 0


async def _publish(url: str, events: int, markets: int) -> None:
    counts = market_counts(events, markets)
    offer = build_offer(counts)
    publisher = Publisher(open_client(url), 0, _KEYS, offer)
    offer.commit(0)
    await publisher.claim(1)
    prepared: list[Publication] = []
    names = shuffled_markets(counts)
    for start in range(0, len(names) - _CHANGES + 1, _CHANGES):
        for name in names[start : start + _CHANGES]:
            offer.stage_prices(name, [("home", (2020,), 470_000)])
        batch = offer.commit(1)
        if batch is not None:
            prepared.append(prepare(offer, batch))
    bodies = [each.batch.removeprefix(_HEAD + encode(each.seq)) for each in prepared]
    count = [0]
    print(json.dumps({"ready": True}), flush=True)
    answering = asyncio.create_task(_answer(count))
    seq = 0
    while not answering.done():
        place = seq % len(prepared)
        seq += 1
        entry = _HEAD + encode(seq) + bodies[place]
        await publisher.publish(Publication(seq, entry, prepared[place].changed))
        count[0] += _CHANGES


class _Counting:
    """Counts what a follower reads."""

    def __init__(self, count: list[int]) -> None:
        self._count = count

    def changed(self, _shard: int, entries: list[Entry]) -> None:
        """Count the changes."""
        self._count[0] += sum(len(entry.markets) for entry in entries)

    def replaced(self, _shard: int) -> None:
        """Ignore the replacement of a state."""

    def epoch_opened(self, _shard: int, _age_s: float) -> None:
        """Ignore a new epoch."""

    def went_stale(self, _shard: int) -> None:
        """Ignore a silence."""

    def went_live(self, _shard: int) -> None:
        """Ignore the end of a silence."""


async def _follow(url: str) -> None:
    reader = SharedReader(open_client(url), [_KEYS.changes], time.monotonic)
    count = [0]
    offer = ReplicaOffer(())
    follower = Follower(reader, 0, _KEYS, offer, _Counting(count), time.monotonic)
    tasks = [asyncio.create_task(reader.run()), asyncio.create_task(follower.run())]
    while not offer.markets:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)
    print(json.dumps({"ready": True}), flush=True)
    try:
        await _answer(count)
    finally:
        await end_tasks(tasks)


if __name__ == "__main__":
    configure_logging("error")
    with new_runner() as runner:
        if sys.argv[1] == "publish":
            runner.run(_publish(sys.argv[2], *map(int, sys.argv[3:])))
        else:
            runner.run(_follow(sys.argv[2]))
