"""A gateway that is fed from memory as fast as it can send: the cost of fan-out alone, without Redis.

`python -m bench.load.hub_server` prints its port. `go` on stdin starts; `stop` ends, and is answered with the frames written.
"""

from __future__ import annotations

import asyncio
import copy
import json
import sys
import time
from typing import TYPE_CHECKING, Final

from bench.load.publisher import build_offer
from bench.load.serving import serving
from oddsengine.domain.ids import MarketId
from oddsengine.gateway.hub.hub import Hub
from oddsengine.gateway.server.app import Gateway
from oddsengine.gateway.state.replica import Replica
from oddsengine.offer.entries.entry import decode_entry, entry_of
from oddsengine.runtime.loop import new_runner
from oddsengine.runtime.parts.access import build_admission
from oddsengine.runtime.settings import Settings
from oddsengine.runtime.telemetry.logs import configure_logging
from oddsengine.runtime.telemetry.metrics import build_registry
from oddsengine.streams.publisher import encode

if TYPE_CHECKING:
    from oddsengine.offer.owned_offer import OwnedOffer

#: The same interval as in a gateway.
_SWEEP_S: Final = 0.02


async def _serve() -> None:
    configure_logging("error")
    owner = build_offer([50])
    owner.commit(0)
    replica = Replica(1)
    # The replica needs its own copies of the records, as if they had come through the stream.
    replica.offers[0].load(1, owner.seq, copy.deepcopy(list(owner.records())))
    replica.stale_since.clear()
    hub = Hub(replica, time.monotonic, lambda: time.time_ns() // 1_000_000)
    gateway = Gateway(hub, build_admission(Settings()), build_registry([]))
    async with serving(gateway.app) as port:
        print(port, flush=True)
        await _feed(hub, owner)


async def _feed(hub: Hub, owner: OwnedOffer) -> None:
    """Feed the hub as fast as it can send, between a line `go` on stdin and the next one."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while (await reader.readline()).strip() == b"go":
        stop = asyncio.create_task(reader.readline())
        frames, start, market, swept_s = hub.counters.frames, time.monotonic(), 0, 0.0
        while not stop.done():
            market = (market + 1) % 50
            owner.stage_prices(MarketId(f"e0/total/ft/{market}"), [("home", (2000 + hub.counters.frames % 997,), 450_000)])
            now_ms = time.time_ns() // 1_000_000
            batch = owner.commit(now_ms)
            if batch is not None:
                entry = decode_entry(encode(entry_of(owner, batch)))
                hub.replica.offers[0].apply(entry)
                hub.staleness.changed(0, [entry])
            # Yield, so that client messages are read and full sockets drain: no client may stay behind for good.
            await asyncio.sleep(0)
            while hub.is_busy:
                await asyncio.sleep(0)
                if time.monotonic() - swept_s > _SWEEP_S:
                    swept_s = time.monotonic()
                    hub.sweep()
        print(json.dumps({"frames": hub.counters.frames - frames, "seconds": time.monotonic() - start}), flush=True)


if __name__ == "__main__":
    with new_runner() as loop:
        loop.run(_serve())
