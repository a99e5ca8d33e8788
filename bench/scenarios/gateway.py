"""The gateway as its users meet it: latency, memory a socket, everybody coming back at once, snapshots and checks.

All go through Redis: a feeder process publishes, `oddsengine gateway` follows on a core of its own. Latency is from the
engine's publish time, which every delta carries in milliseconds, to its receipt by the load generator.
"""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from statistics import median
from typing import Final

from bench.load.nats import NatsFeed, find_nats, nats_running, nats_subscribing
from bench.load.processes import LOAD_CORES, first_on_its_core, module
from bench.load.receiver import Receiver, Report, receiving, subscribing
from bench.load.search import saturation
from bench.load.system import System, counted, free_port, gateway_running, redis_running, system_running
from bench.reporting.progress import doing, steps
from bench.reporting.row import Row, compared

_MARKETS: Final = 500
_SECONDS: Final = 5.0
_WITHIN_MS: Final = 100.0
_KEPT_UP: Final = 0.97
_FILLING_S: Final = 15.0
#: By then what a client does not read is still in the kernel.
_NOT_FULL_YET_S: Final = 1.5
_ROUNDS: Final = 3
_FELL_BEHIND: Final = "oddsengine_slow_consumers_total"
_SUSPENSIONS: Final = "oddsengine_suspension_seconds_count"
_SUSPENSION_SECONDS: Final = "oddsengine_suspension_seconds_sum"
_SUSPENDING_S: Final = 12.0
_HTTP: Final = "HTTP/1.1\r\nHost: bench\r\n"
#: Requests of each kind: the 99th percentile is the eleventh from above.
_TIMES: Final = 1000
#: A machine with two cores has room for no more than this in one process of clients.
_MOST_CLIENTS: Final = 10_000


def _everyone(subscribers: int) -> list[str]:
    return [subscribing(["event:e0"])] * subscribers


def _measured(system: System, receiver: Receiver, rate: float, seconds: float = _SECONDS) -> tuple[Report, float]:
    """Publish at a rate for a while; give what was received, and the gateway's share of its core."""
    system.set_rate(rate)
    time.sleep(1.0)
    receiver.reset()
    begun_s, cpu_s = time.monotonic(), system.gateway.cpu_s()
    time.sleep(seconds)
    report = receiver.report()
    return report, (system.gateway.cpu_s() - cpu_s) / (time.monotonic() - begun_s)


def _saturation(system: System, receiver: Receiver) -> float:
    """Find the greatest rate at which 99 in 100 deltas still come within 100 ms."""

    def keeps_up(rate: float) -> bool:
        report, _ = _measured(system, receiver, rate, 2.0)
        return report.p99_ms <= _WITHIN_MS and report.deltas_per_s >= _KEPT_UP * rate * receiver.connections

    return saturation(keeps_up)


def latency(subscribers: int, rate: float | None = None) -> list[Row]:
    """Measure latency, alone and with one client in ten never reading, in turns; the middle counts.

    Args:
        subscribers: of one event.
        rate: deltas a second to publish; None for half of what saturates the gateway.
    """
    at = "at half of saturation" if rate is None else "at that rate"
    alone: list[tuple[Report, float]] = []
    stalled: list[Report] = []
    grown: list[float] = []
    behind = 0.0
    doing("publication to client")
    with system_running(events=1, markets=_MARKETS) as system:
        if rate is None:
            with receiving(system.port, _everyone(subscribers)) as receiver:
                rate = _saturation(system, receiver) / 2
                system.set_rate(0.0)
        for _ in steps(range(_ROUNDS), f"{rate:,.0f} published a second, alone and with one in ten not reading"):
            with receiving(system.port, _everyone(subscribers)) as receiver:
                alone.append(_filled_and_measured(system, receiver, rate))
            with receiving(system.port, _everyone(subscribers), stall_every=10) as receiver:
                behind -= counted(system.port, _FELL_BEHIND)
                system.set_rate(rate)
                time.sleep(_NOT_FULL_YET_S)
                before = system.gateway.resident_bytes()
                stalled.append(_filled_and_measured(system, receiver, rate)[0])
                behind += counted(system.port, _FELL_BEHIND)
                grown.append((system.gateway.resident_bytes() - before) / (subscribers / 10))
        with receiving(system.port, _everyone(subscribers)):
            suspension_ms = _suspended(system, rate)
    report, busy = sorted(alone, key=lambda each: each[0].p99_ms)[_ROUNDS // 2]
    rows = [
        Row(scenario="latency", metric=metric, value=value, unit="ms", goal=goal, met=None if goal is None else value <= goal)
        for metric, value, goal in (
            (f"p50 {at}", report.p50_ms, None),
            (f"p99 {at}", report.p99_ms, 25.0),
            (f"p99.9 {at}", report.p999_ms, None),
            (f"max {at}", report.max_ms, None),
        )
    ]
    p99_stalled_ms = median(each.p99_ms for each in stalled)
    ratio = p99_stalled_ms / max(report.p99_ms, 0.1)
    a_client = median(grown)
    return [
        *rows,
        Row(scenario="latency", metric="published there", value=rate, unit="deltas/s"),
        Row(scenario="latency", metric="delivered there", value=report.deltas_per_s, unit="deltas/s"),
        Row(scenario="latency", metric="gateway's CPU there", value=busy, unit="of a core"),
        Row(scenario="latency", metric="CPU a delivery", value=1e6 * busy / max(report.deltas_per_s, 1.0), unit="us"),
        Row(scenario="latency", metric="receiver's CPU there", value=report.busy, unit="of its core"),
        Row(
            scenario="latency",
            metric="p99 with 10 % stalled",
            value=p99_stalled_ms,
            unit="ms",
            reference="p99 alone",
            ratio=ratio,
            goal=1.1,
            met=ratio <= 1.1,
        ),
        Row(
            scenario="latency",
            metric="suspension to the last socket, mean",
            value=suspension_ms,
            unit="ms",
            reference="p99 of prices",
            ratio=suspension_ms / max(report.p99_ms, 0.1),
        ),
        Row(scenario="latency", metric="of them fell behind, a round", value=behind / _ROUNDS, unit="clients"),
        Row(scenario="latency", metric="memory a stalled client", value=a_client, unit="bytes", goal=1024, met=a_client <= 1024),
        # The first time the heap grows by the frames that sockets took in part; it keeps that room for the next.
        Row(scenario="latency", metric="memory a stalled client, the worst round", value=max(grown), unit="bytes"),
    ]


def _suspended(system: System, rate: float) -> float:
    """Tell how many milliseconds a suspension takes from the stream to the last socket, while prices are on their way."""
    doing("suspensions in between")
    count, seconds = counted(system.port, _SUSPENSIONS), counted(system.port, _SUSPENSION_SECONDS)
    system.set_rate(rate, suspensions=True)
    time.sleep(_SUSPENDING_S)
    system.set_rate(0.0)
    count, seconds = counted(system.port, _SUSPENSIONS) - count, counted(system.port, _SUSPENSION_SECONDS) - seconds
    return 1000 * seconds / count


def _filled_and_measured(system: System, receiver: Receiver, rate: float) -> tuple[Report, float]:
    """Publish until the socket of a client that does not read is full (the kernel takes megabytes for it), then measure."""
    system.set_rate(rate)
    time.sleep(_FILLING_S)
    measured = _measured(system, receiver, rate)
    system.set_rate(0.0)
    return measured


def memory(subscribers: int = _MOST_CLIENTS, rate: float | None = None) -> list[Row]:
    """Measure what an idle, subscribed socket costs."""
    find_nats()  # now, not after all else
    doing(f"{subscribers:,} sockets: ours")
    with system_running(events=1, markets=10) as system:
        with receiving(system.port, _everyone(100), sample_every=100):
            pass
        time.sleep(1.0)
        before = system.gateway.resident_bytes()
        with receiving(system.port, _everyone(subscribers), sample_every=subscribers) as receiver:
            _measured(system, receiver, rate or 50.0, 3.0)
            grown = system.gateway.resident_bytes() - before
            report = receiver.report()
    value, theirs, metric = grown / subscribers, _nats_memory(subscribers), f"a socket of {subscribers:,}"
    return [
        Row(scenario="memory", metric=metric, value=value, unit="bytes", goal=20_480, met=value <= 20_480),
        compared(Row(scenario="memory", metric=metric, value=value, unit="bytes", reference="nats-server"), theirs),
        Row(scenario="memory", metric="nats-server, a socket", value=theirs, unit="bytes"),
        Row(scenario="memory", metric="closed by the gateway", value=report.closed, unit="sockets"),
    ]


def _nats_memory(subscribers: int) -> float:
    doing(f"{subscribers:,} sockets: nats-server")
    messages = [nats_subscribing(["e0"])] * subscribers
    with nats_running() as nats, NatsFeed(nats.port, [10]) as feed:
        with receiving(nats.websocket_port, messages[:100], path="/", sample_every=100):
            pass
        time.sleep(1.0)
        before = nats.server.resident_bytes()
        with receiving(nats.websocket_port, messages, path="/", sample_every=subscribers):
            feed.set_rate(50.0)
            time.sleep(4.0)
            return (nats.server.resident_bytes() - before) / subscribers


def resume(subscribers: int = 5000, rate: float | None = None) -> list[Row]:
    """Measure how long it takes until everybody is current again who comes back at once after a restart of the gateway."""
    find_nats()  # now, not after all else
    doing(f"{subscribers:,} clients come back: ours")
    with redis_running() as url, module("bench.load.feeder", url, "1", str(_MARKETS), "0", cores=LOAD_CORES) as feeder:
        feeder.line()
        port = free_port()
        with gateway_running(url, port):
            feeder.ask('{"rate": 500}')
            time.sleep(1.0)
            # Few flushes from here on: one to five thousand clients takes 30 ms by itself.
            feeder.ask(json.dumps({"rate": rate or 10}))
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/snapshot?channel=event:e0") as response:
                at = json.load(response)["at"]
        messages = [json.dumps({"op": "subscribe", "id": 1, "channels": ["event:e0"], "resume": at})] * subscribers
        with gateway_running(url, port):
            begun_s = time.monotonic()
            with receiving(port, messages, sample_every=subscribers) as receiver:
                connected_s = time.monotonic() - begun_s
                # Everybody has had its diff once a delta has come to all of them since.
                _await_frames(receiver, subscribers)
                value = time.monotonic() - begun_s
    metric, theirs = f"{subscribers:,} clients current", _nats_return(subscribers, rate or 10)
    return [
        Row(scenario="resume", metric=metric, value=value, unit="s", goal=3.0, met=value <= 3.0),
        compared(Row(scenario="resume", metric=metric, value=value, unit="s", reference="nats-server, nothing resumed"), theirs),
        Row(scenario="resume", metric="of that, handshakes", value=connected_s, unit="s"),
    ]


def _await_frames(receiver: Receiver, count: int) -> None:
    receiver.reset()
    while (report := receiver.report()).frames_per_s * report.seconds < count:
        time.sleep(0.02)


def _nats_return(subscribers: int, rate: float) -> float:
    """Tell how many seconds pass until everybody has subscribed at nats-server and had a message."""
    doing(f"{subscribers:,} clients come back: nats-server")
    with nats_running() as nats, NatsFeed(nats.port, [10]) as feed:
        feed.set_rate(rate)
        begun_s = time.monotonic()
        messages = [nats_subscribing(["e0"])] * subscribers
        with receiving(nats.websocket_port, messages, path="/", sample_every=subscribers) as receiver:
            _await_frames(receiver, subscribers)
            return time.monotonic() - begun_s


def _asked(connection: socket.socket, request: bytes, times: int) -> list[float]:
    """Ask the same again and again over one connection; give the milliseconds each answer took, rising."""
    took: list[float] = []
    for _ in range(times):
        begun_s = time.perf_counter()
        connection.sendall(request)
        _read_answer(connection)
        took.append(1000 * (time.perf_counter() - begun_s))
        time.sleep(0.002)
    return sorted(took)


def _read_answer(connection: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1 << 16)
    head, _, body = head.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    if b" 200 " not in status:
        raise RuntimeError(f"refused: {status!r} {body!r}")
    length = next(int(line.partition(b":")[2]) for line in lines if line.lower().startswith(b"content-length:"))
    read = len(body)
    while read < length:
        read += len(connection.recv(1 << 16))


def snapshot(subscribers: int, rate: float | None = None) -> list[Row]:
    """Measure what a bet service waits for while the gateway is half busy, beside the same while it is idle.

    The client is a bare socket: what it does itself is a small part of what is measured. It goes before the load on its core
    where the system permits it.
    """
    rows: list[Row] = []
    quotes = json.dumps(
        {"quotes": [{"market": f"e0/total/ft/{number}", "selection": "home", "price": 2.02} for number in range(10)]}
    )
    asked = (
        (
            "quotes/check of 10",
            f"POST /v1/quotes/check {_HTTP}Content-Length: {len(quotes)}\r\n\r\n{quotes}",
            2.0,
        ),
        ("markets/{id}", f"GET /v1/markets/e0%2Ftotal%2Fft%2F1 {_HTTP}\r\n", 2.0),
        ("snapshot of an event", f"GET /v1/snapshot?channel=event:e0 {_HTTP}\r\n", None),
    )
    with system_running(events=1, markets=_MARKETS) as system, receiving(system.port, _everyone(subscribers)) as receiver:
        doing("half of saturation")
        half = rate or _saturation(system, receiver) / 2
        with socket.create_connection(("127.0.0.1", system.port)) as connection, first_on_its_core() as goes_first:
            rows.append(Row(scenario="snapshot", metric="client goes before the load", value=goes_first, unit="(1: yes)"))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for metric, request, goal in steps(asked, f"asked while idle and at {half:,.0f} published a second"):
                system.set_rate(0.0)
                time.sleep(0.5)
                idle = _asked(connection, request.encode(), _TIMES)
                system.set_rate(half)
                time.sleep(0.5)
                took = _asked(connection, request.encode(), _TIMES)
                value, reference = took[int(_TIMES * 0.99)], idle[int(_TIMES * 0.99)]
                name, met = f"{metric}, p99", None if goal is None else value <= goal
                rows.append(Row(scenario="snapshot", metric=name, value=value, unit="ms", goal=goal, met=met))
                beside = Row(scenario="snapshot", metric=name, value=value, unit="ms", reference="idle")
                rows.append(compared(beside, reference))
                rows.append(Row(scenario="snapshot", metric=f"{metric}, p50", value=took[_TIMES // 2], unit="ms"))
    return rows
