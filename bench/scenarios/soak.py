"""A long run with churn, disconnects and stalls. In the end the state of every client must equal the gateway's snapshot."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from typing import TYPE_CHECKING, Final

import aiohttp

from bench.load.relay import Relay
from bench.load.system import System, read_metric, system_running
from bench.reporting.progress import report_progress, track_progress
from bench.reporting.row import Row
from oddsengine.client import OddsClient
from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

_EVENTS: Final = 20
_MARKETS: Final = 20
#: Each is a client in Python; more of them would use more CPU than the gateway.
_MAX_CLIENTS: Final = 100
#: One client in this many subscribes to everything, through a relay that stalls; the others subscribe to one event each.
_RELAYED: Final = 20
_STALL_EVERY_S: Final = 5.0
_MAX_STALL_S: Final = 20.0
#: After the last price, for clients that are still catching up.
_SETTLING_S: Final = 5.0
_PARTS: Final = 100


def soak(subscribers: int, minutes: float, rate: float = 10_000.0) -> list[Row]:
    """Run with disconnects and stalls until shortly before the end, then compare every client with the snapshot."""
    with system_running(events=_EVENTS, markets=_MARKETS) as system:
        clients, wrong, early = asyncio.run(_run(system, min(subscribers, _MAX_CLIENTS), minutes, rate))
        grown, behind = system.gateway.resident_bytes() - early, read_metric(system.port, "oddsengine_slow_consumers_total")
    metric = f"of {len(clients)} clients, different from the snapshot"
    return [
        Row(scenario="soak", metric=metric, value=wrong, unit="clients", goal=0, met=wrong == 0),
        Row(scenario="soak", metric="reconnects", value=sum(client.reconnects for client in clients), unit=""),
        Row(scenario="soak", metric="resumed", value=sum(client.resumed for client in clients), unit=""),
        Row(scenario="soak", metric="slow consumers that caught up", value=behind, unit=""),
        Row(scenario="soak", metric="memory growth after the first quarter", value=grown / 1e6, unit="MB"),
    ]


async def _run(system: System, subscribers: int, minutes: float, rate: float) -> tuple[Sequence[OddsClient], int, int]:
    """Return the clients, how many of them differed in the end, and the gateway's memory after a quarter of the time."""
    chance = random.Random(7)  # noqa: S311 - the same disconnects in every run
    relay, early = Relay(system.port), 0
    until_s = time.monotonic() + 60 * minutes
    async with relay.listening():
        clients = [
            OddsClient(f"127.0.0.1:{relay.port}", ["sport:football"])
            if number % _RELAYED == 0
            else OddsClient(f"127.0.0.1:{system.port}", [f"event:e{number % _EVENTS}"])
            for number in range(subscribers)
        ]
        tasks = [asyncio.create_task(_follow(client, chance, until_s)) for client in clients]
        tasks.append(asyncio.create_task(_stall(relay, chance, until_s)))
        await asyncio.to_thread(system.set_rate, rate)
        for part in track_progress(range(_PARTS), f"{minutes:g} minutes with disconnects and stalls, {rate:,.0f} deltas/s"):
            if part == _PARTS // 4:
                early = system.gateway.resident_bytes()
            await asyncio.sleep(60 * minutes / _PARTS)
        # Prices keep moving for the length of the longest stall, so that all clients catch up meanwhile.
        report_progress("waiting until all clients have caught up")
        await asyncio.sleep(_MAX_STALL_S)
        await asyncio.to_thread(system.set_rate, 0.0)
        await asyncio.sleep(_SETTLING_S)
        wrong = await _count_different(system.port, clients)
        await end_tasks(tasks)
    return clients, wrong, early


async def _count_different(port: int, clients: Sequence[OddsClient]) -> int:
    """Count the clients whose state differs from the snapshot of their channel."""
    wrong = 0
    async with aiohttp.ClientSession() as http:
        for client in clients:
            async with http.get(f"http://127.0.0.1:{port}/v1/snapshot?channel={client.channels[0]}") as response:
                snapshot = {market["id"]: market for market in (await response.json())["markets"]}
            differing = [
                key for key in snapshot.keys() | client.state.markets.keys() if snapshot.get(key) != client.state.markets.get(key)
            ]
            if differing:
                wrong += 1
                channel, named = client.channels[0], ", ".join(sorted(differing)[:3])
                print(
                    f"{channel} via {client.url}: {len(differing)} of {len(snapshot)} differ: {named}; at {client.at}",
                    file=sys.stderr,
                )
    return wrong


async def _follow(client: OddsClient, chance: random.Random, until_s: float) -> None:
    """Follow a channel; sometimes disconnect, or do not read for a while, until `until_s`."""
    while True:
        messages = client.messages()
        async for _ in messages:
            if time.monotonic() < until_s and chance.random() < 0.001:
                if chance.random() < 0.5:
                    break
                await asyncio.sleep(chance.uniform(0.5, 3.0))
        await messages.aclose()
        client.reconnects += 1


async def _stall(relay: Relay, chance: random.Random, until_s: float) -> None:
    """Stall a random connection of the relay now and then, for longer than its socket buffers last."""
    stalls: set[asyncio.Task[None]] = set()
    while time.monotonic() < until_s:
        await asyncio.sleep(chance.expovariate(1 / _STALL_EVERY_S))
        # Not after the end, however long the wait was: a connection that stalls during the comparison is not the gateway's fault.
        if time.monotonic() < until_s and (paths := relay.paths):
            stall = asyncio.create_task(chance.choice(paths).stall(chance.uniform(1.0, _MAX_STALL_S)))
            stalls.add(stall)
            stall.add_done_callback(stalls.discard)
    await asyncio.gather(*stalls)
