"""Latency of other subscribers while clients keep subscribing to a channel with very many markets."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Final

import orjson
from websockets.asyncio.client import connect

from bench.load.receiver import receiver_running, subscribe_message
from bench.load.system import system_running
from bench.reporting.progress import report_progress
from bench.reporting.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

_EVENTS: Final = 2000
_MARKETS: Final = 10
_CHANNEL: Final = "sport:football"
_CHANGES_PER_S: Final = 3000.0
_SUBSCRIBES_PER_S: Final = 10
_SECONDS: Final = 5.0
_SETTLING_S: Final = 2.0
_WAIT_MS: Final = 15.0
#: The last part of a snapshot has this near its beginning.
_LAST: Final = '"last":true'
_HEAD: Final = 300


class _Subscribers:
    """Clients that subscribe, receive a snapshot and leave; records how long each waited for it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ended = threading.Event()
        self.waits_s: list[float] = []

    def run(self) -> None:
        asyncio.run(self._subscribe_all())

    def stop(self) -> None:
        self._ended.set()

    async def _subscribe_all(self) -> None:
        async with asyncio.TaskGroup() as group:
            while not self._ended.is_set():
                group.create_task(self._subscribe_once())
                await asyncio.sleep(1 / _SUBSCRIBES_PER_S)

    async def _subscribe_once(self) -> None:
        started_s = time.monotonic()
        async with connect(self._url, max_size=None, compression=None) as client:
            await client.send(orjson.dumps({"op": "subscribe", "channels": [_CHANNEL]}).decode())
            async for message in client:
                if '"snapshot"' in message[:_HEAD] and _LAST in message[:_HEAD]:
                    self.waits_s.append(time.monotonic() - started_s)
                    return


@contextmanager
def _subscribing(port: int) -> Iterator[_Subscribers]:
    clients = _Subscribers(f"ws://127.0.0.1:{port}/v1/stream")
    thread = threading.Thread(target=clients.run)
    thread.start()
    try:
        yield clients
    finally:
        clients.stop()
        thread.join()


def run(subscribers: int = 1000) -> list[Row]:
    """Measure latency of subscribers of single events, alone and while others subscribe to the sport of all events."""
    report_progress(f"{_SUBSCRIBES_PER_S} clients a second subscribe to a channel of {_EVENTS * _MARKETS:,} markets")
    interests = [subscribe_message([f"event:e{number % _EVENTS}"]) for number in range(subscribers)]
    with system_running(_EVENTS, _MARKETS) as system, receiver_running(system.port, interests) as receiver:
        system.set_rate(_CHANGES_PER_S)
        time.sleep(_SETTLING_S)
        receiver.reset()
        time.sleep(_SECONDS)
        alone = receiver.report()
        with _subscribing(system.port) as clients:
            time.sleep(_SETTLING_S)
            receiver.reset()
            time.sleep(_SECONDS)
            busy = receiver.report()
        system.set_rate(0.0)
    wait_ms = 1000 * median(clients.waits_s)
    return [
        Row(scenario="latency, subscribe storm", metric="p99, no new subscribers", value=alone.p99_ms, unit="ms"),
        Row(
            scenario="latency, subscribe storm",
            metric=f"p99, {_SUBSCRIBES_PER_S} subscribe each second",
            value=busy.p99_ms,
            unit="ms",
            reference="p99, no new subscribers",
            ratio=busy.p99_ms / max(alone.p99_ms, 0.1),
        ),
        Row(scenario="latency, subscribe storm", metric="max, the same", value=busy.max_ms, unit="ms"),
        Row(
            scenario="latency, subscribe storm",
            metric=f"wait for a snapshot of {_EVENTS * _MARKETS:,} markets",
            value=wait_ms,
            unit="ms",
            goal=_WAIT_MS,
            met=wait_ms <= _WAIT_MS,
        ),
    ]
