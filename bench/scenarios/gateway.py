"""The gateway as clients see it: latency, memory per socket, mass reconnects, snapshots and price checks.

All go through Redis: a publisher process publishes, `oddsengine gateway` follows on its own core. Latency is measured from the
publish time, which every delta carries in milliseconds, to the receipt by the load generator.
"""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from functools import partial
from statistics import median
from typing import Final

from bench.load.processes import LOAD_CORES, module_running, realtime_priority
from bench.load.receiver import Receiver, Report, receiver_running, subscribe_message
from bench.load.search import find_saturation
from bench.load.system import System, gateway_running, read_metric, redis_running, system_running
from bench.peers.nats import NatsFeed, find_nats, nats_running, nats_subscribe_message
from bench.reporting.progress import report_progress, track_progress
from bench.reporting.row import Row, compared
from tests.support.processes.ports import free_port

_MARKETS: Final = 500
_SECONDS: Final = 5.0
_WITHIN_MS: Final = 100.0
_KEPT_UP: Final = 0.97
_FILLING_S: Final = 15.0
#: By then the unread data of a client still fits into kernel buffers.
_NOT_FULL_YET_S: Final = 1.5
_ROUNDS: Final = 3
_SLOW_CONSUMERS: Final = "oddsengine_slow_consumers_total"
_SUSPENSIONS: Final = "oddsengine_suspension_seconds_count"
_SUSPENSION_SECONDS: Final = "oddsengine_suspension_seconds_sum"
_SUSPENDING_S: Final = 12.0
_HTTP: Final = "HTTP/1.1\r\nHost: bench\r\n"
#: Requests of each kind; the 99th percentile is then the tenth slowest.
_REQUESTS: Final = 1000
_SOCKET_BYTES: Final = 16 * 1024
_BACK_WITHIN_S: Final = 0.8
#: A machine with two cores can hold no more than this in one client process.
_MAX_CLIENTS: Final = 10_000


def _messages(subscribers: int) -> list[str]:
    return [subscribe_message(["event:e0"])] * subscribers


def _measure(system: System, receiver: Receiver, rate: float, seconds: float = _SECONDS) -> tuple[Report, float]:
    """Publish at a rate for some seconds. Return what was received, and the gateway's share of its core."""
    system.set_rate(rate)
    time.sleep(1.0)
    receiver.reset()
    started_s, cpu_s = time.monotonic(), system.gateway.cpu_s()
    time.sleep(seconds)
    report = receiver.report()
    return report, (system.gateway.cpu_s() - cpu_s) / (time.monotonic() - started_s)


def _saturation(system: System, receiver: Receiver) -> float:
    """Find the highest rate at which 99 % of the deltas arrive within 100 ms."""

    def keeps_up(rate: float) -> bool:
        report, _ = _measure(system, receiver, rate, 2.0)
        return report.p99_ms <= _WITHIN_MS and report.deltas_per_s >= _KEPT_UP * rate * receiver.connections

    return find_saturation(keeps_up)


def latency(subscribers: int, rate: float | None = None) -> list[Row]:
    """Measure latency in turns, alone and with 10 % of the clients stalled. The median round counts.

    Args:
        subscribers: number of subscribers of one event.
        rate: deltas per second to publish; None for half of the saturation rate.
    """
    at = "at half of saturation" if rate is None else "at that rate"
    alone: list[tuple[Report, float]] = []
    stalled: list[Report] = []
    growth: list[float] = []
    slow = 0.0
    report_progress("latency from publication to client")
    with system_running(events=1, markets=_MARKETS) as system:
        if rate is None:
            with receiver_running(system.port, _messages(subscribers)) as receiver:
                rate = _saturation(system, receiver) / 2
                system.set_rate(0.0)
        for _ in track_progress(range(_ROUNDS), f"{rate:,.0f} changes/s, alone and with 10 % stalled"):
            with receiver_running(system.port, _messages(subscribers)) as receiver:
                alone.append(_fill_and_measure(system, receiver, rate))
            with receiver_running(system.port, _messages(subscribers), stall_every=10) as receiver:
                slow -= read_metric(system.port, _SLOW_CONSUMERS)
                system.set_rate(rate)
                time.sleep(_NOT_FULL_YET_S)
                before = system.gateway.resident_bytes()
                stalled.append(_fill_and_measure(system, receiver, rate)[0])
                slow += read_metric(system.port, _SLOW_CONSUMERS)
                growth.append((system.gateway.resident_bytes() - before) / (subscribers / 10))
        with receiver_running(system.port, _messages(subscribers)):
            suspension_ms = _measure_suspensions(system, rate)
    return _latency_rows(at, rate, alone, stalled, suspension_ms, slow / _ROUNDS, growth)


def _latency_rows(
    at: str,
    rate: float,
    alone: list[tuple[Report, float]],
    stalled: list[Report],
    suspension_ms: float,
    slow_consumers: float,
    growth: list[float],
) -> list[Row]:
    """Return the rows of the latency scenario.

    Args:
        at: which rate was published.
        rate: the rate, deltas per second.
        alone: the rounds without stalled clients, each with the gateway's share of its core.
        stalled: the rounds with stalled clients.
        suspension_ms: how long a suspension took to the last socket.
        slow_consumers: how many a round had.
        growth: bytes per stalled client, by round.
    """
    report, cpu = sorted(alone, key=lambda each: each[0].p99_ms)[_ROUNDS // 2]
    row = partial(Row, scenario="latency")
    rows = [
        row(metric=metric, value=value, unit="ms", goal=goal, met=None if goal is None else value <= goal)
        for metric, value, goal in (
            (f"p50 {at}", report.p50_ms, None),
            (f"p99 {at}", report.p99_ms, 25.0),
            (f"p99.9 {at}", report.p999_ms, None),
            (f"max {at}", report.max_ms, None),
        )
    ]
    p99_stalled_ms = median(each.p99_ms for each in stalled)
    ratio = p99_stalled_ms / max(report.p99_ms, 0.1)
    per_client = median(growth)
    return [
        *rows,
        row(metric="published", value=rate, unit="deltas/s"),
        row(metric="delivered", value=report.deltas_per_s, unit="deltas/s"),
        row(metric="gateway CPU", value=cpu, unit="of a core"),
        row(metric="CPU per delivery", value=1e6 * cpu / max(report.deltas_per_s, 1.0), unit="us"),
        row(metric="receiver CPU", value=report.cpu_share, unit="of its core"),
        row(
            metric="p99 with 10 % stalled",
            value=p99_stalled_ms,
            unit="ms",
            reference="p99 alone",
            ratio=ratio,
            goal=1.0,
            met=ratio <= 1.0,
        ),
        row(
            metric="suspension to the last socket, mean",
            value=suspension_ms,
            unit="ms",
            reference="p99 of prices",
            ratio=suspension_ms / max(report.p99_ms, 0.1),
        ),
        row(metric="slow consumers per round", value=slow_consumers, unit="clients"),
        row(
            metric="memory per stalled client",
            value=per_client,
            unit="bytes",
            goal=1024,
            met=per_client <= 1024,
        ),
        # In the first round the heap grows by the frames that sockets accepted in part, and keeps that memory for later rounds.
        row(metric="memory per stalled client, worst round", value=max(growth), unit="bytes"),
    ]


def _measure_suspensions(system: System, rate: float) -> float:
    """Return the mean milliseconds of a suspension from the stream to the last socket, while prices are being sent."""
    report_progress("suspensions between prices")
    count, seconds = read_metric(system.port, _SUSPENSIONS), read_metric(system.port, _SUSPENSION_SECONDS)
    system.set_rate(rate, suspensions=True)
    time.sleep(_SUSPENDING_S)
    system.set_rate(0.0)
    count, seconds = read_metric(system.port, _SUSPENSIONS) - count, read_metric(system.port, _SUSPENSION_SECONDS) - seconds
    return 1000 * seconds / count


def _fill_and_measure(system: System, receiver: Receiver, rate: float) -> tuple[Report, float]:
    """Publish until the sockets of stalled clients are full (the kernel buffers megabytes for each), then measure."""
    system.set_rate(rate)
    time.sleep(_FILLING_S)
    measured = _measure(system, receiver, rate)
    system.set_rate(0.0)
    return measured


def memory(subscribers: int = _MAX_CLIENTS, rate: float | None = None) -> list[Row]:
    """Measure the memory of an idle, subscribed socket."""
    find_nats()  # fail now rather than after everything else
    report_progress(f"{subscribers:,} sockets: ours")
    with system_running(events=1, markets=10) as system:
        with receiver_running(system.port, _messages(100), sample_every=100):
            pass
        time.sleep(1.0)
        before = system.gateway.resident_bytes()
        with receiver_running(system.port, _messages(subscribers), sample_every=subscribers) as receiver:
            _measure(system, receiver, rate or 50.0, 3.0)
            growth = system.gateway.resident_bytes() - before
            report = receiver.report()
    value, theirs, metric = growth / subscribers, _nats_memory(subscribers), f"per socket of {subscribers:,}"
    return [
        Row(scenario="memory", metric=metric, value=value, unit="bytes", goal=_SOCKET_BYTES, met=value <= _SOCKET_BYTES),
        compared(Row(scenario="memory", metric=metric, value=value, unit="bytes", reference="nats-server"), theirs),
        Row(scenario="memory", metric="nats-server, per socket", value=theirs, unit="bytes"),
        Row(scenario="memory", metric="closed by the gateway", value=report.closed, unit="sockets"),
    ]


def _nats_memory(subscribers: int) -> float:
    report_progress(f"{subscribers:,} sockets: nats-server")
    messages = [nats_subscribe_message(["e0"])] * subscribers
    with nats_running() as nats, NatsFeed(nats.port, [10]) as feed:
        with receiver_running(nats.websocket_port, messages[:100], path="/", sample_every=100):
            pass
        time.sleep(1.0)
        before = nats.server.resident_bytes()
        with receiver_running(nats.websocket_port, messages, path="/", sample_every=subscribers):
            feed.set_rate(50.0)
            time.sleep(4.0)
            return (nats.server.resident_bytes() - before) / subscribers


def resume(subscribers: int = 5000, rate: float | None = None) -> list[Row]:
    """Measure how long it takes until all clients are up to date that reconnect at once after a restart of the gateway."""
    find_nats()  # fail now rather than after everything else
    report_progress(f"{subscribers:,} clients reconnect: ours")
    with (
        redis_running() as url,
        module_running("bench.load.publisher", url, "1", str(_MARKETS), "0", cores=LOAD_CORES) as publisher,
    ):
        publisher.read_line()
        port = free_port()
        with gateway_running(url, port):
            publisher.request('{"rate": 500}')
            time.sleep(1.0)
            # Few flushes from here on: one flush to five thousand clients alone takes 30 ms.
            publisher.request(json.dumps({"rate": rate or 10}))
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/snapshot?channel=event:e0") as response:
                at = json.load(response)["at"]
        messages = [json.dumps({"op": "subscribe", "id": 1, "channels": ["event:e0"], "resume": at})] * subscribers
        with gateway_running(url, port):
            started_s = time.monotonic()
            with receiver_running(port, messages, sample_every=subscribers) as receiver:
                connected_s = time.monotonic() - started_s
                # All have received their diff once a later delta has arrived everywhere.
                _await_frames(receiver, subscribers)
                value = time.monotonic() - started_s
    metric, theirs = f"{subscribers:,} clients up to date", _nats_reconnect(subscribers, rate or 10)
    return [
        Row(scenario="resume", metric=metric, value=value, unit="s", goal=_BACK_WITHIN_S, met=value <= _BACK_WITHIN_S),
        compared(Row(scenario="resume", metric=metric, value=value, unit="s", reference="nats-server, without resume"), theirs),
        Row(scenario="resume", metric="handshakes", value=connected_s, unit="s"),
    ]


def _await_frames(receiver: Receiver, count: int) -> None:
    receiver.reset()
    while (report := receiver.report()).frames_per_s * report.seconds < count:
        time.sleep(0.02)


def _nats_reconnect(subscribers: int, rate: float) -> float:
    """Return the seconds until all clients have subscribed at nats-server and received a message."""
    report_progress(f"{subscribers:,} clients reconnect: nats-server")
    with nats_running() as nats, NatsFeed(nats.port, [10]) as feed:
        feed.set_rate(rate)
        started_s = time.monotonic()
        messages = [nats_subscribe_message(["e0"])] * subscribers
        with receiver_running(nats.websocket_port, messages, path="/", sample_every=subscribers) as receiver:
            _await_frames(receiver, subscribers)
            return time.monotonic() - started_s


def _time_requests(connection: socket.socket, request: bytes, count: int) -> list[float]:
    """Repeat a request over one connection. Return the milliseconds of each answer, ascending."""
    times_ms: list[float] = []
    for _ in range(count):
        started_s = time.perf_counter()
        connection.sendall(request)
        _read_answer(connection)
        times_ms.append(1000 * (time.perf_counter() - started_s))
        time.sleep(0.002)
    return sorted(times_ms)


def _read_answer(connection: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(1 << 16)
    head, _, body = head.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    if b" 200 " not in status:
        raise RuntimeError(f"rejected: {status!r} {body!r}")
    length = next(int(line.partition(b":")[2]) for line in lines if line.lower().startswith(b"content-length:"))
    read = len(body)
    while read < length:
        read += len(connection.recv(1 << 16))


def snapshot(subscribers: int, rate: float | None = None) -> list[Row]:
    """Measure price checks and queries of a bet service at half of the saturation rate, compared with an idle gateway.

    The client is a bare socket, so that its own work is a small part of the measured time. It has priority over the load on its
    core if the system permits it.
    """
    rows: list[Row] = []
    quotes = json.dumps(
        {"quotes": [{"market": f"e0/total/ft/{number}", "selection": "home", "price": 2.02} for number in range(10)]}
    )
    requests = (
        (
            "quotes/check of 10",
            f"POST /v1/quotes/check {_HTTP}Content-Length: {len(quotes)}\r\n\r\n{quotes}",
            2.0,
        ),
        ("markets/{id}", f"GET /v1/markets/e0%2Ftotal%2Fft%2F1 {_HTTP}\r\n", 2.0),
        ("snapshot of an event", f"GET /v1/snapshot?channel=event:e0 {_HTTP}\r\n", None),
    )
    with (
        system_running(events=1, markets=_MARKETS) as system,
        receiver_running(system.port, _messages(subscribers)) as receiver,
    ):
        report_progress("searching for saturation")
        half = rate or _saturation(system, receiver) / 2
        with socket.create_connection(("127.0.0.1", system.port)) as connection, realtime_priority() as has_priority:
            rows.append(Row(scenario="snapshot", metric="client has priority over the load", value=has_priority, unit="(1: yes)"))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for metric, request, goal in track_progress(requests, f"requests while idle and at {half:,.0f} changes/s"):
                system.set_rate(0.0)
                time.sleep(0.5)
                idle = _time_requests(connection, request.encode(), _REQUESTS)
                system.set_rate(half)
                time.sleep(0.5)
                times_ms = _time_requests(connection, request.encode(), _REQUESTS)
                value, reference = times_ms[int(_REQUESTS * 0.99)], idle[int(_REQUESTS * 0.99)]
                name, met = f"{metric}, p99", None if goal is None else value <= goal
                rows.append(Row(scenario="snapshot", metric=name, value=value, unit="ms", goal=goal, met=met))
                versus_idle = Row(scenario="snapshot", metric=name, value=value, unit="ms", reference="idle")
                rows.append(compared(versus_idle, reference))
                rows.append(Row(scenario="snapshot", metric=f"{metric}, p50", value=times_ms[_REQUESTS // 2], unit="ms"))
    return rows
