"""Costs of a change, a frame and a delta, by the processor time of real processes well below saturation.

Processor time, unlike the highest rate, can be measured for more processes than the machine has cores. Three loads tell the costs
of a gateway apart: changes that nobody follows; many small frames, where interests differ; few large ones, where all follow all.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import redis

from bench.costs.changes import interests_of
from bench.load.processes import LOAD_CORES, cpu_s_of, module_running
from bench.load.receiver import receiver_running, subscribe_message
from bench.load.system import engine_running, gateway_running, read_metric, redis_running
from bench.reporting.progress import report_progress
from bench.scaling.model import Costs
from bench.scenarios.end_to_end import await_markets
from oddsengine.gateway.protocol.framing import frame
from tests.support.processes.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.load.processes import ControlledProcess

_EVENTS: Final = 2000
_MARKETS: Final = 5
_SUBSCRIBERS: Final = 500
_SETTLING_S: Final = 1.5
_SECONDS: Final = 4.0
_LOOK_S: Final = 1.0
#: Changes a second where nobody follows, where interests differ, and where all follow all.
_RATES: Final = (20_000.0, 4000.0, 2000.0)
_PROVIDER_MARKETS: Final = 2000
_MOVES_PER_S: Final = 1600.0
_ENGINE_SHARDS: Final = 2
_MICRO: Final = 1e6
#: A window as most browsers negotiate.
_DEFLATE_BITS: Final = 15


class Window(NamedTuple):
    """The rates measured in some seconds: cores of the gateway and of Redis, changes, and frames, deltas and bytes sent.

    A delta is a change that reaches a subscriber.
    """

    gateway: float
    redis: float
    changes: float
    frames: float
    deltas: float
    bytes: float


class Measured(NamedTuple):
    """All costs, and what twice as many processes take for the same load, compared with one."""

    costs: Costs
    two_workers: float
    two_engines: float


def measure() -> Measured:
    """Measure everything, in about two minutes."""
    unheard, various, equal, socket_bytes = _gateway(1)
    unheard_by_two, various_by_two, _, _ = _gateway(2)
    followed = unheard.gateway / unheard.changes
    # frames * x + deltas * y = what remains without following, of both loads; the same for bytes
    frame, delta = _solved(various, equal, lambda window: window.gateway - followed * window.changes)
    frame_bytes, delta_bytes = _solved(various, equal, lambda window: window.bytes)
    read = max(0.0, unheard_by_two.redis / unheard_by_two.changes - unheard.redis / unheard.changes)
    one_engine, two_engines = _engines(1), _engines(2)
    costs = Costs(
        followed_us=followed * _MICRO,
        frame_us=frame * _MICRO,
        delta_us=delta * _MICRO,
        written_us=(unheard.redis / unheard.changes - read) * _MICRO,
        read_us=read * _MICRO,
        priced_us=one_engine * _MICRO,
        frame_bytes=frame_bytes,
        delta_bytes=delta_bytes,
        compressed=_compressed(),
        socket_bytes=socket_bytes,
    )
    per_delta = various.gateway / various.deltas
    return Measured(costs, various_by_two.gateway / various_by_two.deltas / per_delta, two_engines / one_engine)


def _solved(various: Window, equal: Window, of: Callable[[Window], float]) -> tuple[float, float]:
    """Return what a frame and what a delta takes, by two loads of different frames."""
    determinant = various.frames * equal.deltas - equal.frames * various.deltas
    frame = (of(various) * equal.deltas - of(equal) * various.deltas) / determinant
    delta = (of(equal) * various.frames - of(various) * equal.frames) / determinant
    return max(frame, 0.0), max(delta, 0.0)


def _gateway(workers: int) -> tuple[Window, Window, Window, float]:
    """Return a window of each load, and the bytes of memory of a connection."""
    size = [str(_EVENTS), str(_MARKETS), "0"]
    with redis_running() as url, module_running("bench.load.publisher", url, *size, cores=LOAD_CORES) as publisher:
        publisher.read_line()
        port = free_port()
        with gateway_running(url, port, workers=workers) as gateway:
            report_progress(f"gateway with {workers} {'worker' if workers == 1 else 'workers'}: changes that nobody follows")
            system = _System(url, publisher, gateway, port)
            idle = system.measure(0.0, 0.0)
            unheard = system.measure(_RATES[0], 0.0)
            unheard = unheard._replace(gateway=unheard.gateway - idle.gateway, redis=unheard.redis - idle.redis)
            resident = gateway.resident_bytes()
            interests = interests_of(_SUBSCRIBERS)
            chosen = [subscribe_message([f"event:e{event}" for event in each]) for each in interests]
            with receiver_running(port, chosen):
                socket_bytes = (gateway.resident_bytes() - resident) / _SUBSCRIBERS
                report_progress(f"interests that differ, {_EVENTS} events")
                various = system.measure(_RATES[1], sum(map(len, interests)) / _EVENTS)
            with receiver_running(port, [subscribe_message(["sport:football"])] * _SUBSCRIBERS):
                report_progress("all follow all")
                equal = system.measure(_RATES[2], float(_SUBSCRIBERS))
    return unheard, various, equal, socket_bytes


class _System:
    """A publisher, Redis and gateways at a rate."""

    def __init__(self, url: str, publisher: ControlledProcess, gateway: ControlledProcess, port: int) -> None:
        self._redis_pid = _pid_of(url)
        self._publisher = publisher
        self._gateway = gateway
        self._port = port

    def measure(self, rate: float, recipients: float) -> Window:
        """Publish at a rate of changes a second, each for some recipients on average. Return what was measured."""
        self._wait_for_snapshots()
        self._publisher.request(json.dumps({"rate": rate}))
        time.sleep(_SETTLING_S)
        self._publisher.request(json.dumps({"rate": rate}))
        before, began_s = self._totals(), time.monotonic()
        time.sleep(_SECONDS)
        after, seconds = self._totals(), time.monotonic() - began_s
        changes = float(self._publisher.request(json.dumps({"rate": 0.0}))["rate"])
        gateway, redis_s, frames, sent = ((now - then) / seconds for now, then in zip(after, before, strict=True))
        return Window(gateway, redis_s, changes, frames, changes * recipients, sent)

    def _wait_for_snapshots(self) -> None:
        sent, before = self._sent_bytes(), -1.0
        while sent != before:
            time.sleep(_LOOK_S)
            sent, before = self._sent_bytes(), sent

    def _sent_bytes(self) -> float:
        return read_metric(self._port, "oddsengine_sent_bytes_total")

    def _totals(self) -> tuple[float, ...]:
        frames = read_metric(self._port, "oddsengine_sent_frames_total")
        return self._gateway.tree_cpu_s(), cpu_s_of(self._redis_pid), frames, self._sent_bytes()


def _engines(count: int) -> float:
    """Return the seconds of processor time of all engines for a price that the provider moves."""
    report_progress(f"{count} {'engine' if count == 1 else 'engines'}")
    with (
        redis_running() as url,
        module_running("bench.load.provider", str(_PROVIDER_MARKETS), cores=LOAD_CORES) as provider,
    ):
        feed_port, port = json.loads(provider.read_line())["port"], free_port()
        with _all_running(count, url, feed_port) as engines, gateway_running(url, port, shards=_ENGINE_SHARDS):
            await_markets(port, _PROVIDER_MARKETS)
            time.sleep(2 * _SETTLING_S)  # shards are handed over
            idle = _cores(engines)
            provider.request(json.dumps({"rate": _MOVES_PER_S}))
            time.sleep(_SETTLING_S)
            return max(0.0, _cores(engines) - idle) / _MOVES_PER_S


@contextmanager
def _all_running(count: int, url: str, feed_port: int) -> Iterator[list[ControlledProcess]]:
    with engine_running(url, feed_port, shards=_ENGINE_SHARDS) as engine:
        if count == 1:
            yield [engine]
        else:
            with _all_running(count - 1, url, feed_port) as others:
                yield [engine, *others]


def _cores(processes: list[ControlledProcess]) -> float:
    before, began_s = [each.cpu_s() for each in processes], time.monotonic()
    time.sleep(_SECONDS)
    return sum(each.cpu_s() - then for each, then in zip(processes, before, strict=True)) / (time.monotonic() - began_s)


def _compressed() -> float:
    """Return the share that compression leaves of the delta of a few markets."""
    change = b'{"id":"e%d/total/ft/%d","v":%d,"selections":{"home":{"price":%d.%02d}}}'
    changes = b",".join(change % (17, number, 1200 + 7 * number, 1 + number % 4, 7 * number % 100) for number in range(5))
    head = b'{"op":"delta","channel":"event:e17","at":"0-19c2f7b5d30-1e240","ts":1795737600000,"events":[],"markets":['
    message = head + changes + b"]}"
    return len(frame(message, deflate_bits=_DEFLATE_BITS)) / len(frame(message))


def _pid_of(url: str) -> int:
    with redis.Redis.from_url(url) as client:
        return int(client.info("server")["process_id"])
