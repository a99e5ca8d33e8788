"""The loops in C do what those in Python do, byte by byte, and keep nothing."""

from __future__ import annotations

import gc
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oddsengine.common import speedups
from oddsengine.domain.changes import EventChange, EventDescription, EventProgress, EventRecord, MarketChange, Meta
from oddsengine.domain.events import Competition
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.gateway.fanout.audiences import Audiences
from oddsengine.gateway.fanout.batches import DeltaBatch
from oddsengine.gateway.fanout.counters import GatewayCounters
from oddsengine.gateway.fanout.delta_encoder import DeltaEncoder
from oddsengine.gateway.fanout.session import Session
from oddsengine.gateway.hub.flush import Flush
from oddsengine.gateway.protocol.chunking import ChunkLimits
from oddsengine.gateway.protocol.delivery import DeliveryOptions
from oddsengine.gateway.protocol.framing import frame
from oddsengine.gateway.state.flush_changes import FlushChanges, Ready
from oddsengine.gateway.state.price_history import keep_versions_in_python
from oddsengine.gateway.state.replica import Channel, Replica
from oddsengine.offer.change_index import EventEntry, touch_in_python
from oddsengine.offer.entries.fragments import covers_in_python
from oddsengine.offer.replica_offer import LazyMarket, take_over_in_python
from oddsengine.streams.positions import Position
from tests.support.hub_harness import Wire
from tests.support.laws.speedups import BUILT, speedups_used

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.skipif(BUILT is None, reason="the loops in C are not built")

EVENTS = ("e1", "e2", "é3", "e4")
CHANNELS = [f"event:{event}" for event in EVENTS] + ["sport:football", "competition:cup", "market:e1/0", "market:e2/1"]
OPTIONS = [
    DeliveryOptions(None, "decimal", 0),
    DeliveryOptions("vip", "decimal", 0),
    DeliveryOptions(None, "fractional", 0),
    DeliveryOptions(None, "decimal", 1000),
]
#: More markets than this are framed in Python.
LIMITS = ChunkLimits(200, 6)

runs_of_events = st.lists(st.tuples(st.sampled_from((*EVENTS, "gone")), st.integers(0, 4)), max_size=8)
members = st.lists(
    st.tuples(st.sampled_from(CHANNELS), st.sampled_from(OPTIONS), st.integers(0, 5)),
    max_size=30,
    unique_by=lambda each: each[:3],
)


def a_record(event: str) -> EventRecord:
    description = EventDescription("football", Competition("cup", "Cup"), event, (), None)
    return EventRecord(EventId(event), description, 0, EventProgress(False, None, None), 0)


class Fanout:
    """Audiences of some sessions, and changes of markets with fragments that are ready, but for those that are None."""

    def __init__(
        self,
        runs: Sequence[tuple[str, int]],
        joined: Sequence[tuple[str, DeliveryOptions, int]],
        texts: Sequence[bytes | None],
        events: Sequence[str] = (),
    ) -> None:
        self.replica = Replica(1)
        self.offer = self.replica.offers[0]
        self.offer.load(1, 1, [Meta(("default", "vip"), 0), *map(a_record, EVENTS)])
        self.audiences = Audiences(self.replica, lambda _: None)
        self.sessions = [Session(str(number), Wire()) for number in range(6)]
        for channel, options, number in joined:
            self.audiences.join(self.sessions[number], self.audiences.get(Channel(channel, (0,)), options))
        count = sum(markets for _, markets in runs)
        events_of_markets = [event for event, many in runs for _ in range(many)]
        markets = [MarketId(f"{event}/{number}") for number, event in enumerate(events_of_markets)]
        ready: list[bytes | None] = [texts[number % len(texts)] if texts else None for number in range(count)]
        self.changes = FlushChanges(
            [EventChange(EventId(event), None, EventProgress(True, "1-0", None)) for event in events],
            [],
            min(2, count),
            markets,
            [(EventId(event), many) for event, many in runs],
            lambda _: Ready([each for each in ready if each is not None], []) if None not in ready else Ready(None, list(ready)),
            lambda index: MarketChange(markets[index], index, None, None, {}),
        )

    def sent(self) -> tuple[list[bytes], list[int], list[float]]:
        """Write the changes; return what each session was sent, what was counted, and when audiences were last sent anything."""
        counters = GatewayCounters()
        batch = DeltaBatch(0, self.changes, 1000, Position(1, 2))
        at = {0: Position(1, 2)}
        encoder = DeltaEncoder(self.offer, batch, self.audiences, at, {0: Position(1, 1)}, LIMITS)
        flush = Flush()
        flush.start([batch], encoder.frames(counters, 5.0))
        assert flush.broadcast.advance(lambda: 0.0, 1.0)
        assert [] == flush.broadcast.backpressured
        sent = []
        for session in self.sessions:
            assert isinstance(session.transport, Wire)
            sent.append(bytes(session.transport.written))
            session.transport.written.clear()
        times = [audience.last_sent_s for audience in self.audiences]
        for audience in self.audiences:
            audience.last_sent_s = 0.0
        return sent, [counters.deltas, counters.frames, counters.bytes], times


@given(
    runs_of_events,
    members,
    st.lists(st.none() | st.binary(max_size=60), max_size=5),
    st.sets(st.sampled_from(EVENTS), max_size=1),
)
@example([("e1", 4), ("e2", 1), ("e1", 1)], [(channel, OPTIONS[0], 0) for channel in CHANNELS], [b"{}"], set())
@example([("e1", 2), ("e2", 2)], [("event:e1", OPTIONS[0], 0), ("event:e2", OPTIONS[0], 0)], [b"{}", None, b"{}"], set())
def test_each_session_is_sent_the_same_bytes(
    runs: list[tuple[str, int]], joined: list[tuple[str, DeliveryOptions, int]], texts: list[bytes | None], events: set[str]
) -> None:
    fanout = Fanout(runs, joined, texts, sorted(events))
    with speedups_used(are_used=True):
        in_c = fanout.sent()
    with speedups_used(are_used=False):
        assert in_c == fanout.sent()


@pytest.mark.parametrize("size", [125, 126, 127, 65535, 65536])
def test_the_head_of_a_frame_says_its_size(size: int) -> None:
    fanout = Fanout([("e1", 1)], [("event:e1", OPTIONS[0], 0), ("event:e1", OPTIONS[0], 1)], [b"x" * size])
    empty = len(Fanout([("e1", 1)], [("event:e1", OPTIONS[0], 0)], [b""]).sent()[0][0]) - 2
    with speedups_used(are_used=True):
        fanout = Fanout([("e1", 1)], [("event:e1", OPTIONS[0], 0)], [b"x" * (size - empty)])
        ((framed, *_), _, _) = fanout.sent()
    assert size in {len(framed) - 2, len(framed) - 4, len(framed) - 10}
    payload = framed[len(framed) - size :]
    assert frame(payload) == framed


def test_runs_that_are_not_those_of_the_markets_are_left_to_python() -> None:
    assert BUILT is not None

    def fail(*_: Any) -> Any:
        raise AssertionError

    for runs, total in ([("e1", 2)], 1), ([("e1", -1)], 0), ([("e1", 1)], 2):
        arguments: Any = (runs, total, None, {}, {}, False, set(), 50, fail, {}, fail, fail, 0.0)
        assert BUILT.frames(*arguments) is None


texts = st.text(alphabet='{}":,\\0123456789.-eab', max_size=30).map(str.encode)
#: Made of the same parts, so that many differ in numbers only.
shaped = st.lists(
    st.sampled_from(
        ('{"id":"e1/x"', ',"v":', "12", "3.5", "-1e+5", "null", '"a":{"price":', '"a\\":', '"a\\\\":', "}", "0", "-")
    ),
    max_size=12,
).map(lambda parts: "".join(parts).encode())


@given(texts | shaped, texts | shaped)
@example(b'{"id":"m","v":1,"selections":{"a":{"price":2.02}}}', b'{"id":"m","v":12,"selections":{"a":{"price":3}}}')
@example(b'{"id":"m\\":1"}', b'{"id":"m\\":2"}')
def test_what_a_fragment_covers(earlier: bytes, later: bytes) -> None:
    assert BUILT is not None
    assert covers_in_python(earlier, later) is BUILT.covers(earlier, later)
    assert BUILT.covers(earlier, earlier)


ids = st.lists(st.sampled_from("abcdef"), max_size=12)


@given(ids, st.dictionaries(st.sampled_from("abcde"), st.integers(-1, 6)), st.integers(-1, 6))
def test_a_replica_takes_over_the_same_records(changed: list[str], known: dict[str, int], seq: int) -> None:
    assert BUILT is not None
    records = [b"%d" % number for number in range(len(changed))]
    results = []
    for take_over in (take_over_in_python, BUILT.take_over):
        markets = {MarketId(key): LazyMarket(MarketId(key), EventId("e1"), at, 1, b"") for key, at in known.items()}
        results.append((take_over(markets, [MarketId(key) for key in changed], records, seq), markets))
    assert results[0] == results[1]


@given(ids, ids, st.integers(0, 6))
def test_events_are_moved_in_the_same_way(changed: list[str], touched: list[str], seq: int) -> None:
    assert BUILT is not None
    results = []
    for touch in (touch_in_python, BUILT.touch):
        known: dict[Any, EventEntry[Any]] = {key: EventEntry(a_record(key)) for key in "abcde"}
        order = dict.fromkeys(known[key] for key in "abcd")
        for key in touched:
            if key in known:
                known[key].touched = seq
        moved = touch(known, [(EventId(key), 1) for key in changed], seq, order)
        results.append((moved, [entry.record.id for entry in order], [entry.touched for entry in known.values()]))
    assert results[0] == results[1]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 20)), max_size=30), st.integers(0, 10))
def test_the_same_versions_are_kept(changes: list[tuple[str, int]], keep_ms: int) -> None:
    assert BUILT is not None
    in_python: dict[Any, Any] = {}
    in_c: dict[Any, Any] = {}
    for key, received_ms in changes:
        for keep, known in (keep_versions_in_python, in_python), (BUILT.keep_versions, in_c):
            keep(known, [MarketId(key)], [key.encode()], 7, received_ms, received_ms - keep_ms)
        assert in_python == in_c


class Unslotted:
    at = held = 0


class HalfSlotted:
    __slots__ = ("at", "before")

    at: int


class Slotted:
    __slots__ = ("at", "held")

    def __init__(self) -> None:
        self.at, self.held = 1, b"old"


def test_a_class_without_the_slots_leaves_nothing_behind() -> None:
    assert BUILT is not None
    market, half = Slotted(), HalfSlotted()
    half.at = 1
    for seq in range(2, 6):
        with pytest.raises(AttributeError):
            BUILT.take_over({"a": half}, ["a"], [b"wrong"], seq)
        BUILT.take_over({"a": market}, ["a"], [b"record"], seq)
        assert (seq, b"record") == (market.at, market.held)


def test_wrong_arguments_are_errors() -> None:
    assert BUILT is not None
    for function in ("take_over", "touch", "keep_versions", "covers", "frames"):
        with pytest.raises(TypeError):
            getattr(BUILT, function)()
    with pytest.raises(ValueError, match="as many records"):
        BUILT.take_over({}, ["a"], [], 1)
    with pytest.raises(ValueError, match="as many records"):
        BUILT.keep_versions({}, ["a"], [], 1, 1, 1)
    with pytest.raises(AttributeError):
        BUILT.take_over({"a": 1}, ["a"], [b""], 1)
    with pytest.raises(TypeError, match="not a slot"):
        BUILT.take_over({"a": Unslotted()}, ["a"], [b""], 1)
    with pytest.raises(TypeError):
        BUILT.coalesce([1])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        BUILT.touch({}, [1], 1, {})  # type: ignore[list-item]


def test_nothing_is_kept_of_what_was_sent() -> None:
    assert BUILT is not None
    joined = [(channel, options, number) for channel in CHANNELS for options in OPTIONS for number in range(3)]
    fanout = Fanout([("e1", 4), ("e2", 1), ("e1", 1), ("é3", 2)], joined, [b"{}", b"x" * 300])
    versions: dict[Any, Any] = {}
    markets = {key: LazyMarket(MarketId(key), EventId("e1"), 0, 1, b"") for key in "abc"}

    def work(first: int) -> None:
        for number in range(first, first + 60):
            fanout.sent()
            BUILT.take_over(markets, list("abc"), [b"%d" % number] * 3, number)
            BUILT.keep_versions(versions, list("abc"), [b"%d" % number] * 3, number, number, number)
            # One that is not read to its end.
            *_, payloads = BUILT.coalesce([(audience, b"1") for audience in fanout.audiences] * 2)
            next(payloads)
            with pytest.raises(TypeError):
                BUILT.coalesce([*((audience, b"1") for audience in fanout.audiences), 1])  # type: ignore[list-item]

    with speedups_used(are_used=True):
        work(1)
        gc.collect()
        tracemalloc.start()
        try:
            work(61)
            gc.collect()
            before, _ = tracemalloc.get_traced_memory()
            work(121)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert after - before < 3000


def test_an_older_module_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert speedups.find_module("_speedups") is not None
    monkeypatch.setattr(BUILT, "INTERFACE", -1)
    assert speedups.find_module("_speedups") is None
    monkeypatch.undo()
    monkeypatch.setenv("ODDSENGINE_SPEEDUPS", "0")
    assert speedups.find_module("_speedups") is None
