"""The whole way: from the moment a provider moves a price until the last of many subscribers has it.

Provider (Betfair's stream protocol over TCP), engine, Redis and gateway are processes of their own; the gateway has a core to
itself, all else shares the other one with the load generator. So what saturates first is that core, not the gateway: what the
gateway can do by itself is what `latency` finds with a feeder in the engine's place.
"""

from __future__ import annotations

import json
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench.load.nats import NatsFeed, find_nats, nats_running, nats_subscribing
from bench.load.processes import LOAD_CORES, Talker, module
from bench.load.provider import CHANNEL
from bench.load.receiver import Receiver, Report, receiving, subscribing
from bench.load.search import saturation
from bench.load.system import engine_running, free_port, gateway_running, redis_running
from bench.reporting.progress import doing, steps
from bench.reporting.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

#: At the rates met here a market moves again only after more than any delay that counts.
_MARKETS: Final = 2000
_SECONDS: Final = 5.0
_ROUNDS: Final = 3
_WITHIN_MS: Final = 100.0
_KEPT_UP: Final = 0.97
_READY_S: Final = 60.0


class Seen(NamedTuple):
    """What came of some seconds: at the subscriber who knows when prices moved, at all of them, and the CPU it took."""

    journey: dict[str, float]
    delivery: dict[str, float]
    everyone: Report
    engine_busy: float
    gateway_busy: float


class _Way:
    """A running system with a provider at one end and subscribers at the other."""

    def __init__(self, provider: Talker, engine: Talker, gateway: Talker, receiver: Receiver) -> None:
        self._provider = provider
        self._engine = engine
        self._gateway = gateway
        self._receiver = receiver

    def measured(self, rate: float, seconds: float = _SECONDS) -> Seen:
        """Move so many prices a second for a while."""
        self._set_rate(rate)
        time.sleep(1.0)
        self._receiver.reset()
        cpu_s, began_s = self._cpu_s(), time.monotonic()
        self._set_rate(rate)
        time.sleep(seconds)
        said, everyone = self._set_rate(rate), self._receiver.report()
        took_s = time.monotonic() - began_s
        busy = [(now_s - before_s) / took_s for now_s, before_s in zip(self._cpu_s(), cpu_s, strict=True)]
        return Seen(said["journey"], said["delivery"], everyone, *busy)

    def saturation(self) -> float:
        """Find the greatest rate at which 99 in 100 prices are everywhere within 100 ms."""

        def keeps_up(rate: float) -> bool:
            seen = self.measured(rate, 2.0)
            all_come = seen.everyone.deltas_per_s >= _KEPT_UP * rate * self._receiver.connections
            return all_come and seen.journey["p99"] <= _WITHIN_MS

        return saturation(keeps_up)

    def _set_rate(self, rate: float) -> dict[str, Any]:
        return self._provider.ask(json.dumps({"rate": rate}))

    def _cpu_s(self) -> tuple[float, float]:
        return self._engine.cpu_s(), self._gateway.cpu_s()


@contextmanager
def _way(subscribers: int) -> Iterator[_Way]:
    with redis_running() as url, module("bench.load.provider", str(_MARKETS), cores=LOAD_CORES) as provider:
        feed_port, port = json.loads(provider.line())["port"], free_port()
        with engine_running(url, feed_port) as engine, gateway_running(url, port) as gateway:
            _await_markets(port)
            with receiving(port, [subscribing([CHANNEL])] * subscribers) as receiver:
                # Whoever comes last is told last.
                provider.ask(json.dumps({"watch": port}))
                yield _Way(provider, engine, gateway, receiver)


def _await_markets(port: int) -> None:
    deadline_s = time.monotonic() + _READY_S
    while time.monotonic() < deadline_s:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/snapshot?channel={CHANNEL}") as response:
            if len(json.load(response)["markets"]) == _MARKETS:
                return
        time.sleep(0.2)
    raise RuntimeError("the provider's markets do not all come through")


def _nats(subscribers: int, rate: float) -> Report:
    with (
        nats_running() as nats,
        NatsFeed(nats.port, [_MARKETS]) as feed,
        receiving(nats.websocket_port, [nats_subscribing(["e0"])] * subscribers, path="/") as receiver,
    ):
        feed.set_rate(rate)
        time.sleep(1.0)
        receiver.reset()
        time.sleep(_SECONDS)
        return receiver.report()


def run(subscribers: int, rate: float | None = None) -> list[Row]:
    """Measure the whole way, and what of it is the way from the engine's publication on; the middle of some rounds counts.

    Args:
        subscribers: of all markets.
        rate: moves a second; None for half of what saturates the way.
    """
    find_nats()  # now, not after minutes
    doing("provider to client")
    with _way(subscribers) as way:
        if rate is None:
            rate = way.saturation() / 2
        turns = steps(range(_ROUNDS), f"{rate:,.0f} moves a second")
        rounds = sorted((way.measured(rate) for _ in turns), key=lambda seen: seen.journey["p99"])
    seen = rounds[_ROUNDS // 2]
    doing("nats-server, as many")
    nats = _nats(subscribers, rate)
    rows = [Row(scenario="journey", metric="prices moved", value=rate, unit="moves/s")]
    for name, key, goal in (("p50", "p50", None), ("p99", "p99", 25.0), ("p99.9", "p999", None), ("max", "max", None)):
        value = seen.journey[key]
        met = None if goal is None else value <= goal
        rows.append(Row(scenario="journey", metric=f"provider to client, {name}", value=value, unit="ms", goal=goal, met=met))
    against = Row(scenario="journey", metric="of that from publication, p99", value=seen.delivery["p99"], unit="ms")
    against.reference, against.ratio = "nats-server's, no engine", seen.delivery["p99"] / nats.p99_ms
    return [
        *rows,
        against,
        Row(scenario="journey", metric="delivered", value=seen.everyone.deltas_per_s, unit="deltas/s"),
        Row(scenario="journey", metric="nats-server delivered", value=nats.deltas_per_s, unit="deltas/s"),
        Row(scenario="journey", metric="engine's CPU", value=seen.engine_busy, unit="of a core"),
        Row(scenario="journey", metric="gateway's CPU", value=seen.gateway_busy, unit="of a core"),
        Row(scenario="journey", metric="receiver's CPU", value=seen.everyone.busy, unit="of its core"),
    ]
