"""What others feel while clients subscribe to a channel with very many markets, one after the other."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Final

import orjson
from websockets.asyncio.client import connect

from bench.load.receiver import receiving, subscribing
from bench.load.system import system_running
from bench.reporting.progress import doing
from bench.reporting.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

_EVENTS: Final = 2000
_MARKETS: Final = 10
_CHANNEL: Final = "sport:football"
_CHANGES_PER_S: Final = 3000.0
_JOINS_PER_S: Final = 10
_SECONDS: Final = 5.0
_SETTLING_S: Final = 2.0
#: The last part of a snapshot says so near its beginning.
_LAST: Final = '"last":true'
_HEAD: Final = 300


class _Joining:
    """Clients that come, take a snapshot and go, and how long each waited for it in seconds."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_over = threading.Event()
        self.waited_s: list[float] = []

    def run(self) -> None:
        asyncio.run(self._come())

    def end(self) -> None:
        self._is_over.set()

    async def _come(self) -> None:
        async with asyncio.TaskGroup() as group:
            while not self._is_over.is_set():
                group.create_task(self._join())
                await asyncio.sleep(1 / _JOINS_PER_S)

    async def _join(self) -> None:
        begun_s = time.monotonic()
        async with connect(self._url, max_size=None, compression=None) as client:
            await client.send(orjson.dumps({"op": "subscribe", "channels": [_CHANNEL]}).decode())
            async for message in client:
                if '"snapshot"' in message[:_HEAD] and _LAST in message[:_HEAD]:
                    self.waited_s.append(time.monotonic() - begun_s)
                    return


@contextmanager
def _joining(port: int) -> Iterator[_Joining]:
    clients = _Joining(f"ws://127.0.0.1:{port}/v1/stream")
    thread = threading.Thread(target=clients.run)
    thread.start()
    try:
        yield clients
    finally:
        clients.end()
        thread.join()


def run(subscribers: int = 1000) -> list[Row]:
    """Measure the latency of subscribers of single events, alone and while others join the sport that has all of them."""
    doing(f"{_JOINS_PER_S} clients a second join a channel of {_EVENTS * _MARKETS:,} markets")
    interests = [subscribing([f"event:e{number % _EVENTS}"]) for number in range(subscribers)]
    with system_running(_EVENTS, _MARKETS) as system, receiving(system.port, interests) as receiver:
        system.set_rate(_CHANGES_PER_S)
        time.sleep(_SETTLING_S)
        receiver.reset()
        time.sleep(_SECONDS)
        alone = receiver.report()
        with _joining(system.port) as clients:
            time.sleep(_SETTLING_S)
            receiver.reset()
            time.sleep(_SECONDS)
            among = receiver.report()
        system.set_rate(0.0)
    return [
        Row(scenario="latency, large joins", metric="p99, nobody joins", value=alone.p99_ms, unit="ms"),
        Row(
            scenario="latency, large joins",
            metric=f"p99, {_JOINS_PER_S} join each second",
            value=among.p99_ms,
            unit="ms",
            reference="p99, nobody joins",
            ratio=among.p99_ms / max(alone.p99_ms, 0.1),
        ),
        Row(scenario="latency, large joins", metric="max then", value=among.max_ms, unit="ms"),
        Row(
            scenario="latency, large joins",
            metric=f"wait for a snapshot of {_EVENTS * _MARKETS:,} markets",
            value=1000 * median(clients.waited_s),
            unit="ms",
        ),
    ]
