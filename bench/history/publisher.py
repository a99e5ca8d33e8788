"""Publish price changes as fast as possible, or at a rate: an engine's end, in its own process.

`python -m bench.history.publisher REDIS_URL CHANGES_PER_ENTRY` reads `{"seconds": .., "rate": changes a second or null}` from
stdin, publishes for that long, and answers with how many changes and at what rate. Events are those of the Zipf load of `fanout`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Final

from redis.asyncio import Redis

from bench.load.publisher import build_offer, market_counts, shuffled_markets
from oddsengine.runtime.loop import new_runner
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.publisher import Publisher, prepare

EVENTS, BUSIEST = 2000, 400
NAMESPACE: Final = "odds"


async def _feed(url: str, per_entry: int) -> None:
    counts = market_counts(EVENTS, 1, BUSIEST)
    offer = build_offer(counts)
    redis = Redis.from_url(url)
    publisher = Publisher(redis, 0, shard_keys(NAMESPACE, 0), offer)
    offer.commit(time.time_ns() // 1_000_000)
    await publisher.claim(time.time_ns() // 1_000_000)
    names = shuffled_markets(counts)
    place, price = 0, 2020
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps({"ready": True}), flush=True)
    while line := await reader.readline():
        asked = json.loads(line)
        published, began_s = 0, time.monotonic()
        while (now_s := time.monotonic()) < began_s + asked["seconds"]:
            if asked["rate"] and published > asked["rate"] * (now_s - began_s):
                await asyncio.sleep(per_entry / asked["rate"])
                continue
            for _ in range(per_entry):
                if place == len(names):
                    place, price = 0, 4000 - price + 20
                offer.stage_prices(names[place], [("home", (price,), 950_000_000 // price)])
                place += 1
            batch = offer.commit(time.time_ns() // 1_000_000)
            assert batch is not None  # noqa: S101 - something was staged
            await publisher.publish(prepare(offer, batch))
            published += per_entry
        rate = published / (time.monotonic() - began_s)
        print(json.dumps({"published": published, "rate": rate, "epoch": offer.epoch, "seq": offer.seq}), flush=True)
    await redis.aclose()


if __name__ == "__main__":
    with new_runner() as runner:
        runner.run(_feed(sys.argv[1], int(sys.argv[2])))
