"""An exchange that moves prices at a set rate, and a subscriber that measures how long each move takes to arrive.

`python -m bench.load.provider MARKETS` prints `{"port": ..}`, where it serves Betfair's stream protocol. Commands are lines of
JSON on stdin: `{"watch": port}` subscribes at the gateway on that port; `{"rate": moves a second}` is answered with what was
measured since the previous command. Every market is the match odds of its own event, and all markets move equally often.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import orjson

from bench.load.processes import realtime_priority
from bench.load.receiver import subscribe_message
from feeds.emulators.betfair.stream_server import StreamServer
from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The channel of all markets.
CHANNEL: Final = "sport:football"
_TICK_S: Final = 0.02
_SIZE: Final = 100.0
_RUNNERS: Final = ((1001, 1), (1002, 2), (58805, 3))
#: Back and lay prices of the runners in both states: far enough apart that every move changes every published price.
_QUOTES: Final = (((2.2, 2.22), (3.3, 3.35), (4.0, 4.1)), ((2.5, 2.52), (3.0, 3.05), (3.7, 3.75)))


class PulsingExchange:
    """Markets that alternate between two sets of prices, at a set rate of moves per second."""

    def __init__(self, markets: int) -> None:
        self.markets: Sequence[int] = range(markets)
        self.ticks = 0
        self.rate = 0.0
        self.moves = 0
        #: time of each market's last move, Unix milliseconds
        self.moved_ms = [0.0] * markets
        self._owed = 0.0
        self._next = 0
        self._place = [0] * markets

    @property
    def pt_ms(self) -> int:
        """The publish time, Unix milliseconds."""
        return time.time_ns() // 1_000_000

    def tick(self) -> list[dict[str, Any]]:
        """Move the markets that are due."""
        self.ticks += 1
        self._owed += self.rate * _TICK_S
        count = min(int(self._owed), len(self.markets))
        self._owed -= count
        changes = []
        now_ms = time.time() * 1000
        for _ in range(count):
            market, self._next = self._next, (self._next + 1) % len(self.markets)
            self._place[market] = 1 - self._place[market]
            self.moved_ms[market] = now_ms
            changes.append({"id": f"1.{market}", "rc": self._rows(market)})
        self.moves += count
        return changes

    def image(self, market: int) -> dict[str, Any]:
        """Return the full image of a market."""
        definition = {
            "version": 1,
            "status": "OPEN",
            "inPlay": True,
            "eventId": str(market),
            "eventTypeId": "1",
            "marketType": "MATCH_ODDS",
            "bettingType": "ODDS",
            "marketTime": "2026-01-01T12:00:00.000Z",
            "numberOfWinners": 1,
            "runners": [{"id": runner, "sortPriority": place, "status": "ACTIVE"} for runner, place in _RUNNERS],
        }
        return {"id": f"1.{market}", "img": True, "marketDefinition": definition, "rc": self._rows(market)}

    def _rows(self, market: int) -> list[dict[str, Any]]:
        quotes = _QUOTES[self._place[market]]
        return [
            {"id": runner, "batb": [(0, back, _SIZE)], "batl": [(0, lay, _SIZE)]}
            for (runner, _), (back, lay) in zip(_RUNNERS, quotes, strict=True)
        ]


class Watcher:
    """A subscriber of all markets.

    Args:
        exchange: the source of the moves.
    """

    def __init__(self, exchange: PulsingExchange) -> None:
        self._exchange = exchange
        #: milliseconds from each move to its receipt, and from its publication by the engine to its receipt
        self.end_to_end_ms: list[float] = []
        self.deliveries_ms: list[float] = []

    async def watch(self, port: int) -> None:
        """Subscribe, and record the age of everything received."""
        url = f"http://127.0.0.1:{port}/v1/stream"
        async with aiohttp.ClientSession() as http, http.ws_connect(url, max_msg_size=0) as socket:
            await socket.send_str(subscribe_message([CHANNEL]))
            async for message in socket:
                now_ms = time.time() * 1000
                update = orjson.loads(message.data)
                if update["op"] != "delta":
                    continue
                for market in update.get("markets", ()):
                    number = int(market["id"].partition("/")[0].rpartition(".")[2])
                    self.end_to_end_ms.append(now_ms - self._exchange.moved_ms[number])
                    self.deliveries_ms.append(now_ms - update["ts"])

    def report(self) -> dict[str, Any]:
        """Return the percentiles since the last report."""
        report = {
            "count": len(self.end_to_end_ms),
            "end_to_end": _percentiles(self.end_to_end_ms),
            "delivery": _percentiles(self.deliveries_ms),
        }
        self.end_to_end_ms.clear()
        self.deliveries_ms.clear()
        return report


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values) or [0.0]
    last = len(ordered) - 1
    return {name: ordered[round(last * share)] for name, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999), ("max", 1.0))}


async def _provide(markets: int) -> None:
    exchange = PulsingExchange(markets)
    server = StreamServer(exchange, time.monotonic, tick_s=_TICK_S)
    watcher = Watcher(exchange)
    await server.start()
    tasks = [asyncio.create_task(server.run())]
    print(json.dumps({"port": server.port}), flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    began_s = time.monotonic()
    while line := await reader.readline():
        command = json.loads(line)
        if "watch" in command:
            tasks.append(asyncio.create_task(watcher.watch(int(command["watch"]))))
            print("{}", flush=True)
            continue
        seconds = time.monotonic() - began_s
        print(json.dumps({**watcher.report(), "moves": exchange.moves, "seconds": seconds}), flush=True)
        exchange.rate, exchange.moves, began_s = float(command["rate"]), 0, time.monotonic()
    await end_tasks(tasks)
    await server.stop()


if __name__ == "__main__":
    # It stands for a provider and a client on other machines, which do not compete for this core.
    with realtime_priority():
        asyncio.run(_provide(int(sys.argv[1])))
