"""`python -m bench peers`: deltas a second of several servers, each on a core, where all listen to the same or to other events.

A publisher on the other core feeds each server with changes encoded beforehand: ours in batches through Redis, the others with
one message a change.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from bench.costs.changes import interests_of
from bench.load.publisher import market_counts
from bench.load.receiver import Receiver, receiver_running, subscribe_message
from bench.load.system import system_running
from bench.peers import mosquitto, uwebsockets
from bench.peers.nats import NatsFeed, find_nats, nats_running, nats_subscribe_message
from bench.reporting.row import Row, compared
from bench.scenarios.fanout import measure_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_EVENTS: Final = 2000
_MARKETS: Final = 5
_ONE_EVENT_MARKETS: Final = 2000
_SAMPLED: Final = 10
_FIRST_DELIVERED: Final = 50_000.0


class _Load(NamedTuple):
    """The published changes, and what each subscriber follows.

    Attributes:
        name: of the rows.
        counts: the number of markets of each event, all the same.
        interests: the events of each subscriber.
        goal: how many times as many deltas as each other server.
    """

    name: str
    counts: list[int]
    interests: list[list[int]]
    goal: float

    @property
    def fan_out(self) -> float:
        """The recipients of a change, estimated from the connections that are parsed."""
        sampled = self.interests[::_SAMPLED]
        markets = sum(self.counts[event] for chosen in sampled for event in chosen)
        return len(self.interests) / len(sampled) * markets / sum(self.counts)


@contextmanager
def _ours(load: _Load) -> Iterator[tuple[Receiver, Callable[[float], None]]]:
    messages = [subscribe_message([f"event:e{event}" for event in chosen]) for chosen in load.interests]
    with (
        system_running(len(load.counts), load.counts[0], are_ready=True) as system,
        receiver_running(system.port, messages, sample_every=_SAMPLED) as receiver,
    ):
        yield receiver, system.set_rate


@contextmanager
def _nats(load: _Load) -> Iterator[tuple[Receiver, Callable[[float], None]]]:
    messages = [nats_subscribe_message(_topics(chosen)) for chosen in load.interests]
    with (
        nats_running() as nats,
        NatsFeed(nats.port, load.counts) as feed,
        receiver_running(nats.websocket_port, messages, path="/", sample_every=_SAMPLED) as receiver,
    ):
        yield receiver, feed.set_rate


@contextmanager
def _mosquitto(load: _Load) -> Iterator[tuple[Receiver, Callable[[float], None]]]:
    messages = [mosquitto.mqtt_subscribe_message(f"c{number}", _topics(each)) for number, each in enumerate(load.interests)]
    with ExitStack() as stack:
        ports = stack.enter_context(mosquitto.mosquitto_running())
        feed = stack.enter_context(mosquitto.MqttFeed(ports.port, load.counts))
        opened = receiver_running(
            ports.websocket_port, messages, path="/mqtt", sample_every=_SAMPLED, subprotocol=mosquitto.SUBPROTOCOL
        )
        yield stack.enter_context(opened), feed.set_rate


@contextmanager
def _uwebsockets(load: _Load) -> Iterator[tuple[Receiver, Callable[[float], None]]]:
    messages = [uwebsockets.uwebsockets_subscribe_message(_topics(chosen)) for chosen in load.interests]
    with (
        uwebsockets.uwebsockets_running() as port,
        uwebsockets.UWebSocketsFeed(port, load.counts) as feed,
        receiver_running(port, messages, path="/", sample_every=_SAMPLED) as receiver,
    ):
        yield receiver, feed.set_rate


def _topics(events: Sequence[int]) -> list[str]:
    return [f"e{event}" for event in events]


_PEERS: Final = {"nats-server": _nats, "mosquitto": _mosquitto, "uWebSockets": _uwebsockets}


def run(subscribers: int) -> list[Row]:
    """Search the highest rate of each server at which 99 % of the deltas arrive within 100 ms."""
    # Fail now rather than after minutes.
    find_nats()
    mosquitto.find_mosquitto()
    uwebsockets.find_uwebsockets()
    loads = [
        _Load("peers, one event", [_ONE_EVENT_MARKETS], [[0]] * subscribers, 20.0),
        _Load("peers, Zipf, even markets", market_counts(_EVENTS, _MARKETS), interests_of(subscribers), 2.0),
    ]
    return [row for load in loads for row in _compare(load)]


def _compare(load: _Load) -> list[Row]:
    found = {}
    for name, running in {"ours": _ours, **_PEERS}.items():
        with running(load) as (receiver, set_rate):
            start = _FIRST_DELIVERED / load.fan_out
            found[name] = measure_rate(f"{load.name}: {name}", receiver, set_rate, None, start, load.fan_out)
    ours = found.pop("ours")
    rows = []
    for name, theirs in found.items():
        row = Row(scenario=load.name, metric="deltas at p99 <= 100 ms", value=ours.deltas_per_s, unit="deltas/s", reference=name)
        row.goal = load.goal
        rows += [
            compared(row, theirs.deltas_per_s),
            Row(scenario=load.name, metric=f"{name} at p99 <= 100 ms", value=theirs.deltas_per_s, unit="deltas/s"),
            Row(scenario=load.name, metric=f"{name} p99 at that rate", value=theirs.p99_ms, unit="ms"),
        ]
    return rows
