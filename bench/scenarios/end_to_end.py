"""End-to-end latency: from a price move at the provider until the last of many subscribers has received it.

Provider (Betfair's stream protocol over TCP), engine, Redis and gateway are separate processes. The gateway has its own core;
everything else shares the other one with the load generator. That core saturates before the gateway does: the capacity of the
gateway alone is measured by `gateway.latency`, with a publisher in the engine's place.
"""

from __future__ import annotations

import json
import time
import urllib.request
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench.load.processes import LOAD_CORES, ControlledProcess, module_running
from bench.load.provider import CHANNEL
from bench.load.receiver import Receiver, Report, receiver_running, subscribe_message
from bench.load.search import find_saturation
from bench.load.system import engine_running, gateway_running, redis_running
from bench.peers.nats import NatsFeed, find_nats, nats_running, nats_subscribe_message
from bench.reporting.progress import report_progress, track_progress
from bench.reporting.row import Row
from tests.support.processes.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

#: So many that a market moves again only after a delay longer than any that is measured.
_MARKETS: Final = 2000
_SECONDS: Final = 5.0
_ROUNDS: Final = 3
_WITHIN_MS: Final = 100.0
_KEPT_UP: Final = 0.97
#: At idle nothing waits for anything else: neither moves nor the sends to other clients.
_IDLE_RATE: Final = 50.0
_IDLE_SUBSCRIBERS: Final = 10
_IDLE_MS: Final = 2.0
_READY_TIMEOUT_S: Final = 60.0


class Window(NamedTuple):
    """Measurements over some seconds: at the subscriber that knows the moves, at all subscribers, and the CPU used."""

    end_to_end: dict[str, float]
    delivery: dict[str, float]
    receiver: Report
    engine_cpu: float
    gateway_cpu: float


class _Installation:
    """A running system with a provider at one end and subscribers at the other."""

    def __init__(
        self, provider: ControlledProcess, engine: ControlledProcess, gateway: ControlledProcess, receiver: Receiver
    ) -> None:
        self._provider = provider
        self._engine = engine
        self._gateway = gateway
        self._receiver = receiver

    def measure(self, rate: float, seconds: float = _SECONDS) -> Window:
        """Measure for some seconds at a rate of price moves per second."""
        self._set_rate(rate)
        time.sleep(1.0)
        self._receiver.reset()
        cpu_s, started_s = self._cpu_s(), time.monotonic()
        self._set_rate(rate)
        time.sleep(seconds)
        watched, report = self._set_rate(rate), self._receiver.report()
        elapsed_s = time.monotonic() - started_s
        cpu = [(now_s - before_s) / elapsed_s for now_s, before_s in zip(self._cpu_s(), cpu_s, strict=True)]
        return Window(watched["end_to_end"], watched["delivery"], report, *cpu)

    def find_saturation(self) -> float:
        """Find the highest rate at which 99 % of all prices arrive everywhere within 100 ms."""

        def keeps_up(rate: float) -> bool:
            window = self.measure(rate, 2.0)
            complete = window.receiver.deltas_per_s >= _KEPT_UP * rate * self._receiver.connections
            return complete and window.end_to_end["p99"] <= _WITHIN_MS

        return find_saturation(keeps_up)

    def _set_rate(self, rate: float) -> dict[str, Any]:
        return self._provider.request(json.dumps({"rate": rate}))

    def _cpu_s(self) -> tuple[float, float]:
        return self._engine.cpu_s(), self._gateway.cpu_s()


@contextmanager
def _installed(subscribers: int) -> Iterator[_Installation]:
    with redis_running() as url, module_running("bench.load.provider", str(_MARKETS), cores=LOAD_CORES) as provider:
        feed_port, port = json.loads(provider.read_line())["port"], free_port()
        with engine_running(url, feed_port) as engine, gateway_running(url, port) as gateway:
            await_markets(port, _MARKETS)
            with receiver_running(port, [subscribe_message([CHANNEL])] * subscribers) as receiver:
                # The last session of an audience is served last.
                provider.request(json.dumps({"watch": port}))
                yield _Installation(provider, engine, gateway, receiver)


def await_markets(port: int, count: int) -> None:
    """Wait until a gateway has so many markets. Raises RuntimeError after a minute."""
    deadline_s = time.monotonic() + _READY_TIMEOUT_S
    while time.monotonic() < deadline_s:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/snapshot?channel={CHANNEL}") as response:
            if len(json.load(response)["markets"]) == count:
                return
        time.sleep(0.2)
    raise RuntimeError("not all markets of the provider arrived")


def _idle_p99_ms() -> float:
    report_progress("latency from provider to client at idle")
    with _installed(_IDLE_SUBSCRIBERS) as system:
        return median(system.measure(_IDLE_RATE).end_to_end["p99"] for _ in range(_ROUNDS))


def _nats(subscribers: int, rate: float) -> Report:
    with (
        nats_running() as nats,
        NatsFeed(nats.port, [_MARKETS]) as feed,
        receiver_running(nats.websocket_port, [nats_subscribe_message(["e0"])] * subscribers, path="/") as receiver,
    ):
        feed.set_rate(rate)
        time.sleep(1.0)
        receiver.reset()
        time.sleep(_SECONDS)
        return receiver.report()


def run(subscribers: int, rate: float | None = None) -> list[Row]:
    """Measure end-to-end latency, and the part of it after publication by the engine. The median round counts.

    Args:
        subscribers: number of subscribers of all markets.
        rate: moves per second; None for half of the saturation rate.
    """
    find_nats()  # fail now rather than after minutes
    report_progress("latency from provider to client")
    with _installed(subscribers) as system:
        if rate is None:
            rate = system.find_saturation() / 2
        turns = track_progress(range(_ROUNDS), f"{rate:,.0f} moves/s")
        rounds = sorted((system.measure(rate) for _ in turns), key=lambda window: window.end_to_end["p99"])
    window, idle_ms = rounds[_ROUNDS // 2], _idle_p99_ms()
    report_progress("nats-server at the same rate")
    nats = _nats(subscribers, rate)
    rows = [Row(scenario="end to end", metric="price moves", value=rate, unit="moves/s")]
    for name, key, goal in (("p50", "p50", None), ("p99", "p99", 10.0), ("p99.9", "p999", None), ("max", "max", None)):
        value = window.end_to_end[key]
        met = None if goal is None else value <= goal
        rows.append(Row(scenario="end to end", metric=f"provider to client, {name}", value=value, unit="ms", goal=goal, met=met))
    metric = f"provider to client, p99 at idle ({_IDLE_RATE:.0f} moves/s, {_IDLE_SUBSCRIBERS} clients)"
    rows.append(Row(scenario="end to end", metric=metric, value=idle_ms, unit="ms", goal=_IDLE_MS, met=idle_ms <= _IDLE_MS))
    reference = Row(scenario="end to end", metric="publication to client, p99", value=window.delivery["p99"], unit="ms")
    reference.reference, reference.ratio = "nats-server, no engine", window.delivery["p99"] / nats.p99_ms
    return [
        *rows,
        reference,
        Row(scenario="end to end", metric="delivered", value=window.receiver.deltas_per_s, unit="deltas/s"),
        Row(scenario="end to end", metric="nats-server delivered", value=nats.deltas_per_s, unit="deltas/s"),
        Row(scenario="end to end", metric="engine CPU", value=window.engine_cpu, unit="of a core"),
        Row(scenario="end to end", metric="gateway CPU", value=window.gateway_cpu, unit="of a core"),
        Row(scenario="end to end", metric="receiver CPU", value=window.receiver.cpu_share, unit="of its core"),
    ]
