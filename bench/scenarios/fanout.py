"""How many frames and deltas a second reach a thousand subscribers from one core, beside the floor and others.

- *frames*: one delta a frame to everyone, as fast as it goes: our gateway fed from memory, `websockets.broadcast`, and a
  C program that sends the same bytes and does nothing else (the floor).
- *deltas*: all on one event, from a publisher process through Redis, against nats-server's WebSocket listener and a
  publisher of its own: the greatest rate at which 99 in 100 deltas arrive within 100 ms.
- *zipf*: 2,000 events, each subscriber on ten of them, some far more popular than others; the same measure. Once popular events
  also have more markets, as in a sportsbook, and once all have alike: then a change is for five subscribers, and what counts is
  what a change costs by itself. There a row says how many changes come through Redis at all, whatever the gateway.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from bench.load.feeder import market_counts
from bench.load.nats import NatsFeed, find_nats, nats_running, nats_subscribing
from bench.load.processes import LOAD_CORES, SERVER_CORE, Talker, compiled, module, started
from bench.load.receiver import Receiver, receiving, subscribing
from bench.load.search import Measured, best
from bench.load.system import redis_running, system_running
from bench.reporting.progress import doing, steps
from bench.reporting.row import Row, compared
from oddsengine.gateway.protocol.encoders import delta, delta_head, delta_stamp
from oddsengine.gateway.protocol.framing import frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SECONDS: Final = 3.0
_WITHIN_MS: Final = 100.0
_OURS: Final = "one delta a frame"
#: Short turns, for the machine's speed drifts; each begins when what was in the sockets is gone.
_TURNS: Final = 24
_TURN_S: Final = 0.4
_SETTLING_S: Final = 0.15
_MARKETS: Final = 2000
_EVENTS: Final = 2000
_CHANNELS: Final = 10
#: The most popular event's markets, as a final has them; the second has half as many, and so on.
_BUSIEST: Final = 500
#: Every event's markets where all are alike: enough that no market moves twice in one flush, which is told once.
_ALIKE: Final = 5
#: A rate is kept up if so much of it arrives.
_KEPT_UP: Final = 0.97
#: Where the search begins with many events: deltas delivered a second.
_FIRST_READINGS: Final = 50_000.0
#: Changes a second.
_MORE_THAN_ANY: Final = 1_000_000.0
#: One in so many is read closely there: to read everybody so takes what the load has.
_ZIPF_SAMPLED: Final = 10


def one_delta() -> bytes:
    """A message of one changed price, as everyone gets it."""
    change = b'{"id":"e0/total/ft/12","v":123456,"selections":{"home":{"price":2.02}}}'
    stamp = delta_stamp("0-6b04fee6-1e240", 1_764_000_000_000)
    return delta(delta_head("event:e0"), stamp, [], [change])


class _Side(NamedTuple):
    """A server that tells everybody as fast as it can, and those it tells; both stand still but for their turns."""

    server: Talker
    receiver: Receiver

    def stand_still(self) -> None:
        for talker in (self.receiver.talker, self.server):
            talker.pause()

    def frames_per_s(self) -> float:
        """Take a turn."""
        for talker in (self.receiver.talker, self.server):
            talker.go_on()
        time.sleep(_SETTLING_S)
        self.receiver.reset()
        time.sleep(_TURN_S)
        frames_per_s: float = self.receiver.report().frames_per_s
        self.stand_still()
        return frames_per_s


@contextmanager
def _side(command: Sequence[str], messages: Sequence[str]) -> Iterator[_Side]:
    with started(command, SERVER_CORE) as server:
        port = int(server.line())
        with receiving(port, messages, sample_every=len(messages), spin=True) as receiver:
            time.sleep(0.5)
            server.tell("go")
            side = _Side(server, receiver)
            side.stand_still()
            yield side


def frames(subscribers: int) -> list[Row]:
    """Measure frames a second at one delta a frame; sides take many short turns, and the middle of a turn's ratios counts.

    The machine's speed drifts within seconds by as much as the sides differ. That the receiver is not what limits us shows in the
    floor, from which it takes more.
    """
    nobody = ["{}"] * subscribers
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.NamedTemporaryFile())
        file.write(frame(one_delta()))
        file.flush()
        ours = stack.enter_context(
            _side([sys.executable, "-m", "bench.load.hub_server"], [subscribing(["event:e0"])] * subscribers)
        )
        others = {
            "floor in C": [str(compiled("floor")), str(subscribers), file.name],
            "websockets.broadcast": [sys.executable, "-m", "bench.load.broadcast_server", str(len(one_delta()))],
        }
        sides = {_OURS: ours} | {name: stack.enter_context(_side(command, nobody)) for name, command in others.items()}
        values: dict[str, list[float]] = {name: [] for name in sides}
        for turn in steps(range(_TURNS), "frames: ours, the floor and websockets.broadcast in turns"):
            # Nobody is always the one after the same other.
            for name in list(sides)[:: 1 if turn % 2 else -1]:
                values[name].append(sides[name].frames_per_s())
    rows: list[Row] = []
    for name in others:
        row = Row(scenario="fanout", metric=_OURS, value=median(values[_OURS]), unit="frames/s", reference=name)
        row.ratio = median(mine / its for mine, its in zip(values[_OURS], values[name], strict=True))
        rows.append(row)
        rows.append(Row(scenario="fanout", metric=name, value=median(values[name]), unit="frames/s"))
    rows[0].goal = 0.85
    rows[0].met = rows[0].ratio is not None and rows[0].ratio >= rows[0].goal
    return rows


def _competed(
    who: str, receiver: Receiver, set_rate: Callable[[float], None], rate: float | None, start: float, fan: float
) -> Measured:
    """Give what comes at the greatest rate at which deltas are not late and all come.

    Args:
        who: for those who watch.
        receiver: the subscribers.
        set_rate: has so many deltas a second published.
        rate: measure there and leave it at that, however late or few they are; None to search.
        start: the rate to begin the search at.
        fan: the subscribers of each delta.
    """

    def measure(published: float) -> Measured:
        set_rate(published)
        time.sleep(1.0)
        receiver.reset()
        time.sleep(SECONDS)
        report = receiver.report()
        kept_up = report.p99_ms <= _WITHIN_MS and report.deltas_per_s >= _KEPT_UP * published * fan
        return Measured(report.deltas_per_s, report.p99_ms, kept_up)

    doing(who)
    found = best(measure, start) if rate is None else measure(rate)
    set_rate(0.0)
    return found


def _compete(scenario: str, goal: float, ours: Measured, theirs: Measured, rate: float | None) -> list[Row]:
    at = "at p99 <= 100 ms" if rate is None else f"at {rate:,.0f} published"
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
        Row(scenario=scenario, metric="our p99 there", value=ours.p99_ms, unit="ms"),
        Row(scenario=scenario, metric="nats-server's p99 there", value=theirs.p99_ms, unit="ms"),
    ]


def deltas(subscribers: int, rate: float | None = None) -> list[Row]:
    """Measure deltas a second on one event."""
    ours_all = [subscribing(["event:e0"])] * subscribers
    theirs_all = [nats_subscribing(["e0"])] * subscribers
    with system_running(events=1, markets=_MARKETS) as system, receiving(system.port, ours_all) as receiver:
        ours = _competed("one event: ours", receiver, system.set_rate, rate, 200.0, subscribers)
    with (
        nats_running() as nats,
        NatsFeed(nats.port, [_MARKETS]) as feed,
        receiving(nats.websocket_port, theirs_all, path="/") as receiver,
    ):
        theirs = _competed("one event: nats-server", receiver, feed.set_rate, rate, 50.0, subscribers)
    return _compete("fanout, one event", 5.0, ours, theirs, rate)


def zipf(subscribers: int, rate: float | None = None, *, alike: bool = False) -> list[Row]:
    """Measure deltas a second where interests differ.

    Args:
        subscribers: each on ten events.
        rate: deltas a second to publish; None to look for the best.
        alike: whether all events have as many markets, not the popular ones more.
    """
    chance = random.Random(7)  # noqa: S311 - the same interests in every run
    weights = [1 / (rank + 1) for rank in range(_EVENTS)]
    interests: list[list[int]] = []
    while len(interests) < subscribers:
        chosen = dict.fromkeys(chance.choices(range(_EVENTS), weights, k=4 * _CHANNELS))
        if len(chosen) >= _CHANNELS:
            interests.append(list(chosen)[:_CHANNELS])
    scenario = "fanout, Zipf, all alike" if alike else "fanout, Zipf"
    least, busiest = (_ALIKE, 0) if alike else (1, _BUSIEST)
    counts = market_counts(_EVENTS, least, busiest)
    # All markets move equally often: so many subscribers has a change, if the others are as those that are read closely.
    sampled = interests[::_ZIPF_SAMPLED]
    fan = subscribers / len(sampled) * sum(counts[event] for chosen in sampled for event in chosen) / sum(counts)
    start = _FIRST_READINGS / fan
    ours_all = [subscribing([f"event:e{number}" for number in chosen]) for chosen in interests]
    theirs_all = [nats_subscribing([f"e{number}" for number in chosen]) for chosen in interests]
    with (
        system_running(_EVENTS, least, busiest) as system,
        receiving(system.port, ours_all, sample_every=_ZIPF_SAMPLED) as receiver,
    ):
        ours = _competed(f"{scenario}: ours", receiver, system.set_rate, rate, start, fan)
    with (
        nats_running() as nats,
        NatsFeed(nats.port, counts) as feed,
        receiving(nats.websocket_port, theirs_all, path="/", sample_every=_ZIPF_SAMPLED) as receiver,
    ):
        theirs = _competed(f"{scenario}: nats-server", receiver, feed.set_rate, rate, start, fan)
    rows = _compete(scenario, 3.0, ours, theirs, rate)
    if not alike:
        return rows
    most = Row(
        scenario=scenario,
        metric="most that feeder and Redis let through",
        value=_let_through() * fan,
        unit="deltas/s",
        reference="nats-server",
    )
    return [*rows, compared(most, theirs.deltas_per_s)]


def _let_through() -> float:
    """Tell how many changes a second of alike events feeder and Redis can publish on one core, with nobody listening."""
    arguments = [str(_EVENTS), str(_ALIKE), "0"]
    with redis_running() as url, module("bench.load.feeder", url, *arguments, cores=LOAD_CORES) as feeder:
        feeder.line()
        feeder.ask(json.dumps({"rate": _MORE_THAN_ANY}))
        time.sleep(SECONDS)
        return float(feeder.ask(json.dumps({"rate": 0.0}))["rate"])


def run(subscribers: int = 1000, rate: float | None = None) -> list[Row]:
    """Measure all; with a rate of deltas a second to publish only what comes of that."""
    find_nats()  # now, not after minutes
    return [
        *([] if rate else frames(subscribers)),
        *deltas(subscribers, rate),
        *zipf(subscribers, rate),
        *zipf(subscribers, rate, alike=True),
    ]
