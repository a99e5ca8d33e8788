"""Frames and deltas per second to a thousand subscribers from one core, compared with a floor in C and other servers.

- *frames*: one delta per frame to all subscribers, as fast as possible: our gateway fed from memory, `websockets.broadcast`, and
  a C program that only sends the same bytes (the floor).
- *deltas*: all subscribers on one event, from a publisher process through Redis, compared with nats-server's WebSocket listener
  and its publisher: the highest rate at which 99 % of the deltas arrive within 100 ms.
- *zipf*: 2,000 events, each subscriber on ten of them, some far more popular than others; the same measure. In one run popular
  events also have more markets, as in a sportsbook. In the other all events have as many: a change then has five recipients, and
  the cost of the change itself dominates; one more row shows how many changes publisher and Redis can carry without a gateway.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from bench.costs import changes
from bench.costs.changes import interests_of
from bench.load.processes import LOAD_CORES, SERVER_CORE, ControlledProcess, compile_native, module_running, process_running
from bench.load.publisher import market_counts
from bench.load.receiver import Receiver, receiver_running, subscribe_message
from bench.load.search import Measurement, find_max_rate
from bench.load.system import redis_running, system_running
from bench.peers.nats import NatsFeed, find_nats, nats_running, nats_subscribe_message
from bench.reporting.progress import report_progress, track_progress
from bench.reporting.row import Row, compared
from oddsengine.gateway.protocol.encoders import delta, delta_head, delta_stamp
from oddsengine.gateway.protocol.framing import frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SECONDS: Final = 3.0
_WITHIN_MS: Final = 100.0
_OURS: Final = "one delta per frame"
#: Short turns, because the speed of the machine drifts. Each starts once the sockets have drained.
_TURNS: Final = 24
_TURN_S: Final = 0.4
_SETTLING_S: Final = 0.15
_MARKETS: Final = 2000
_EVENTS: Final = 2000
#: Markets of the most popular event, such as a final; the second has half as many, and so on.
_BUSIEST: Final = 500
#: Markets of each event where all have as many: enough that no market moves twice in one flush.
_EVEN: Final = 5
#: The share of a rate that must arrive for the gateway to keep up.
_KEPT_UP: Final = 0.97
#: While subscriptions are joined, the first rate divided by this is published, and deltas are awaited this often for this long.
_GENTLE: Final = 10.0
_SETTLING_TRIES: Final = 30
_SETTLING_TRY_S: Final = 0.5
#: Start of the search with many events: deltas delivered per second.
_FIRST_DELIVERED: Final = 50_000.0
#: Changes per second, more than any system can publish.
_UNREACHABLE_RATE: Final = 1_000_000.0
#: With many events only one connection in this many is parsed: parsing all would saturate the load's core.
_ZIPF_SAMPLED: Final = 10


def one_delta() -> bytes:
    """Return the message of one changed price, as every subscriber receives it."""
    change = b'{"id":"e0/total/ft/12","v":123456,"selections":{"home":{"price":2.02}}}'
    stamp = delta_stamp("0-6b04fee6-1e240", 1_764_000_000_000)
    return delta(delta_head("event:e0"), stamp, [], [change])


class _Contestant(NamedTuple):
    """A server that sends as fast as it can, and its receiver. Both are paused except during their turns."""

    server: ControlledProcess
    receiver: Receiver

    def pause(self) -> None:
        """Pause both processes."""
        for process in (self.receiver.process, self.server):
            process.pause()

    def frames_per_s(self) -> float:
        """Run for one turn. Return the frames per second received."""
        for process in (self.receiver.process, self.server):
            process.resume()
        time.sleep(_SETTLING_S)
        self.receiver.reset()
        time.sleep(_TURN_S)
        frames_per_s: float = self.receiver.report().frames_per_s
        self.pause()
        return frames_per_s


@contextmanager
def _contestant(command: Sequence[str], messages: Sequence[str]) -> Iterator[_Contestant]:
    with process_running(command, SERVER_CORE) as server:
        port = int(server.read_line())
        with receiver_running(port, messages, sample_every=len(messages), spin=True) as receiver:
            time.sleep(0.5)
            server.send_line("go")
            contestant = _Contestant(server, receiver)
            contestant.pause()
            yield contestant


def frames(subscribers: int) -> list[Row]:
    """Measure frames per second at one delta per frame, in many short turns. The median of the ratios within a turn counts.

    Within seconds the speed of the machine drifts by as much as the servers differ. The receiver is not the limit: it receives
    more from the floor.
    """
    unused = ["{}"] * subscribers
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.NamedTemporaryFile())
        file.write(frame(one_delta()))
        file.flush()
        ours = stack.enter_context(
            _contestant([sys.executable, "-m", "bench.load.hub_server"], [subscribe_message(["event:e0"])] * subscribers)
        )
        others = {
            "floor in C": [str(compile_native("floor")), str(subscribers), file.name],
            "websockets.broadcast": [sys.executable, "-m", "bench.load.broadcast_server", str(len(one_delta()))],
        }
        contestants = {_OURS: ours} | {
            name: stack.enter_context(_contestant(command, unused)) for name, command in others.items()
        }
        values: dict[str, list[float]] = {name: [] for name in contestants}
        for turn in track_progress(range(_TURNS), "frames: ours, the floor and websockets.broadcast in turns"):
            # The order alternates, so that no server always runs after the same other one.
            for name in list(contestants)[:: 1 if turn % 2 else -1]:
                values[name].append(contestants[name].frames_per_s())
    rows: list[Row] = []
    for name in others:
        row = Row(scenario="fanout", metric=_OURS, value=median(values[_OURS]), unit="frames/s", reference=name)
        row.ratio = turn_ratio(values[_OURS], values[name], name)
        rows.append(row)
        rows.append(Row(scenario="fanout", metric=name, value=median(values[name]), unit="frames/s"))
    rows[0].goal = 0.9
    rows[0].met = rows[0].ratio is not None and rows[0].ratio >= rows[0].goal
    return rows


def turn_ratio(ours: Sequence[float], theirs: Sequence[float], name: str) -> float:
    """Return the median ratio over turns. Turns in which one side sent no frame are left out and reported.

    Args:
        ours: frames per second of our turns.
        theirs: frames per second of the reference's turns, in the same order.
        name: the reference.

    Raises:
        RuntimeError: if no turn is left.
    """
    ratios = [mine / its for mine, its in zip(ours, theirs, strict=True) if mine and its]
    if len(ratios) < len(ours):
        report_progress(f"{name}: left out {len(ours) - len(ratios)} of {len(ours)} turns without a frame; the machine is busy")
    if not ratios:
        raise RuntimeError(f"no turn with frames of both sides; {name} can't be compared on a machine this busy")
    return median(ratios)


def measure_rate(
    name: str, receiver: Receiver, set_rate: Callable[[float], None], rate: float | None, start: float, fan: float
) -> Measurement:
    """Measure at the highest rate at which all deltas arrive, and in time.

    Args:
        name: shown as progress.
        receiver: the subscribers.
        set_rate: sets the rate of published deltas per second.
        rate: measure only at this rate; None to search.
        start: the first rate of the search.
        fan: the number of recipients of each delta.
    """

    def measure(published: float) -> Measurement:
        set_rate(published)
        time.sleep(1.0)
        receiver.reset()
        time.sleep(SECONDS)
        report = receiver.report()
        kept_up = report.p99_ms <= _WITHIN_MS and report.deltas_per_s >= _KEPT_UP * published * fan
        return Measurement(report.deltas_per_s, report.p99_ms, kept_up)

    report_progress(name)
    _settle(receiver, set_rate, start / _GENTLE, fan)
    found = find_max_rate(measure, start) if rate is None else measure(rate)
    set_rate(0.0)
    return found


def _settle(receiver: Receiver, set_rate: Callable[[float], None], rate: float, fan: float) -> None:
    """Publish gently until all subscriptions have been joined: what the server does for them is not what is measured."""
    set_rate(rate)
    for _ in range(_SETTLING_TRIES):
        receiver.reset()
        time.sleep(_SETTLING_TRY_S)
        report = receiver.report()
        if report.p99_ms <= _WITHIN_MS and report.deltas_per_s >= _KEPT_UP * rate * fan:
            return
    report_progress(f"not all are subscribed after {_SETTLING_TRIES * _SETTLING_TRY_S:.0f} s; the first rates may be missed")


def _rows(scenario: str, goal: float, ours: Measurement, theirs: Measurement, rate: float | None) -> list[Row]:
    at = "at p99 <= 100 ms" if rate is None else f"at {rate:,.0f} changes/s"
    return [
        compared(
            Row(
                scenario=scenario,
                metric=f"deltas {at}",
                value=ours.deltas_per_s,
                unit="deltas/s",
                reference="nats-server",
                goal=goal if rate is None else None,
            ),
            theirs.deltas_per_s,
        ),
        Row(scenario=scenario, metric=f"nats-server {at}", value=theirs.deltas_per_s, unit="deltas/s"),
        Row(scenario=scenario, metric="our p99 at that rate", value=ours.p99_ms, unit="ms"),
        Row(scenario=scenario, metric="nats-server p99 at that rate", value=theirs.p99_ms, unit="ms"),
    ]


def deltas(subscribers: int, rate: float | None = None) -> list[Row]:
    """Measure deltas per second on one event."""
    ours_all = [subscribe_message(["event:e0"])] * subscribers
    theirs_all = [nats_subscribe_message(["e0"])] * subscribers
    with system_running(events=1, markets=_MARKETS) as system, receiver_running(system.port, ours_all) as receiver:
        ours = measure_rate("one event: ours", receiver, system.set_rate, rate, 200.0, subscribers)
    with (
        nats_running() as nats,
        NatsFeed(nats.port, [_MARKETS]) as feed,
        receiver_running(nats.websocket_port, theirs_all, path="/") as receiver,
    ):
        theirs = measure_rate("one event: nats-server", receiver, feed.set_rate, rate, 50.0, subscribers)
    return _rows("fanout, one event", 20.0, ours, theirs, rate)


def zipf(subscribers: int, rate: float | None = None, *, even: bool = False) -> list[Row]:
    """Measure deltas per second where subscribers have different interests.

    Args:
        subscribers: each on ten events.
        rate: deltas per second to publish; None to search for the highest.
        even: give all events as many markets; otherwise popular events have more.
    """
    interests = interests_of(subscribers)
    scenario = "fanout, Zipf, even markets" if even else "fanout, Zipf"
    markets, busiest = (_EVEN, 0) if even else (1, _BUSIEST)
    counts = market_counts(_EVENTS, markets, busiest)
    # All markets move equally often. The number of recipients of a change, estimated from the connections that are parsed.
    sampled = interests[::_ZIPF_SAMPLED]
    fan = subscribers / len(sampled) * sum(counts[event] for chosen in sampled for event in chosen) / sum(counts)
    start = _FIRST_DELIVERED / fan
    ours_all = [subscribe_message([f"event:e{number}" for number in chosen]) for chosen in interests]
    theirs_all = [nats_subscribe_message([f"e{number}" for number in chosen]) for chosen in interests]
    with (
        system_running(_EVENTS, markets, busiest, are_ready=True) as system,
        receiver_running(system.port, ours_all, sample_every=_ZIPF_SAMPLED) as receiver,
    ):
        ours = measure_rate(f"{scenario}: ours", receiver, system.set_rate, rate, start, fan)
    with (
        nats_running() as nats,
        NatsFeed(nats.port, counts) as feed,
        receiver_running(nats.websocket_port, theirs_all, path="/", sample_every=_ZIPF_SAMPLED) as receiver,
    ):
        theirs = measure_rate(f"{scenario}: nats-server", receiver, feed.set_rate, rate, start, fan)
    rows = _rows(scenario, 2.0 if even else 8.0, ours, theirs, rate)
    if not even:
        return rows
    limit = Row(
        scenario=scenario,
        metric="limit of publisher and Redis",
        value=_publish_limit() * fan,
        unit="deltas/s",
        reference="nats-server",
    )
    return [*rows, compared(limit, theirs.deltas_per_s)]


def _publish_limit() -> float:
    """Return how many changes per second publisher and Redis can publish on one core, without subscribers."""
    arguments = [str(_EVENTS), str(_EVEN), "0", "ready"]
    with redis_running() as url, module_running("bench.load.publisher", url, *arguments, cores=LOAD_CORES) as publisher:
        publisher.read_line()
        publisher.request(json.dumps({"rate": _UNREACHABLE_RATE}))
        time.sleep(SECONDS)
        return float(publisher.request(json.dumps({"rate": 0.0}))["rate"])


def run(subscribers: int = 1000, rate: float | None = None) -> list[Row]:
    """Run all measurements. With a rate, only those at that rate of published deltas per second."""
    find_nats()  # fail now rather than after minutes
    return [
        *([] if rate else frames(subscribers)),
        *deltas(subscribers, rate),
        *zipf(subscribers, rate),
        *zipf(subscribers, rate, even=True),
        *([] if rate else changes.run(subscribers)),
    ]
