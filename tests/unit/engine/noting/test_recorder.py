"""What is noted for the history: of which position an explanation is, which comes first, and how much of the time it takes."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import structlog

from oddsengine.common.tasks import end_tasks
from oddsengine.domain.ids import MarketId
from oddsengine.engine.explain import explain
from oddsengine.engine.noting import recorder
from oddsengine.engine.noting.recorder import EVERY_S, NoteRecorder
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.streams.notes.log import Explanation, Note
from tests.support.builders import a_batch, a_definition, a_quote, live, market_updates
from tests.support.streams.ends import until

if TYPE_CHECKING:
    import pytest

MARKETS = [MarketId(f"e{number}/match_odds") for number in range(8)]


class World:
    """An engine's pipeline, its recorder, and a clock that each explanation moves on."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.costs_s = 0.0
        self.faulty: MarketId | None = None
        self.state = "live"
        self.pipeline = Pipeline(Pricer({"default": Profile()}), ("src",))
        self.pipeline.receive(live(), 1)
        engine: Any = SimpleNamespace(
            pipeline=self.pipeline,
            ownership=SimpleNamespace(active=[SimpleNamespace(shard=0)], owned=[0]),
            explain=self.explain,
            feeds=lambda: [{"feed": "sim", "state": self.state, "reason": None}],
        )
        self.written: list[Note] = []
        self.recorder = NoteRecorder(engine, self, "p1", lambda: "abc", self.clock, lambda: 5, self.clock)  # type: ignore[arg-type]

    async def write(self, notes: list[Note]) -> None:
        self.written += notes

    def clock(self) -> float:
        return self.now_s

    def explain(self, market: MarketId) -> Any:
        self.now_s += self.costs_s
        if market == self.faulty:
            raise ValueError(market)
        return explain(self.pipeline, market, 1)

    def quote(self, number: int, odds: float, status: Any = "open", *, is_flushed: bool = True) -> None:
        definition = a_definition(MARKETS[number], status=status)
        books = (a_quote("home", odds), a_quote("away", odds / (odds - 1)))
        self.pipeline.receive(a_batch(*market_updates(definition, *books, source_id=f"1.{number}")), 1)
        if is_flushed:
            self.pipeline.flush(0, 1)
            self.pipeline.offers[0].commit(1)

    def explained(self) -> list[tuple[str, Explanation]]:
        return [(note.name, decoded(note)) for note in self.noted() if note.kind == "explanation"]

    def noted(self) -> list[Note]:
        notes: list[Note] = []
        self.recorder.step(notes)
        return notes


def decoded(note: Note) -> Explanation:
    return msgspec.msgpack.decode(note.body, type=Explanation)


def test_an_explanation_is_of_the_price_that_is_published() -> None:
    """Law: it says of which position it is, and while the market has moved since it is not made."""
    world = World()
    world.quote(0, 2.0)
    record = world.pipeline.offers[0].markets[MARKETS[0]]
    ((name, found),) = world.explained()
    assert (MARKETS[0], record.at, record.v) == (name, found.seq, found.answer["v"])
    assert orjson.dumps(explain(world.pipeline, MARKETS[0], 1)) == orjson.dumps(found.answer)
    assert [] == world.explained()
    world.now_s += EVERY_S
    world.quote(0, 2.2)
    world.quote(0, 2.4, is_flushed=False)
    assert [] == world.explained()
    world.pipeline.flush(0, 1)
    world.pipeline.offers[0].commit(1)
    ((_, found),) = world.explained()
    assert record.at == found.seq
    assert found.answer["selections"]["home"]["profiles"]["default"]["price"] is not None


def test_what_stops_taking_bets_comes_first_and_the_rest_waits() -> None:
    """Law: a look explains for two milliseconds, whatever there is to explain."""
    world = World()
    for number in range(4):
        world.quote(number, 2.0)
    assert set(MARKETS[:4]) == {name for name, _ in world.explained()}
    for number in range(4, 8):
        world.quote(number, 2.0)
    world.quote(1, 2.0, "suspended")
    world.costs_s = 0.001
    assert [MARKETS[1]] == [name for name, _ in world.explained()][:1]
    counts = [len(world.explained()) for _ in range(4)]
    assert max(counts) == 2
    assert sum(counts) == 3


async def test_a_market_that_cannot_be_explained_keeps_no_other_one_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "_CHECK_S", 0.0)
    world = World()
    for number in range(3):
        world.quote(number, 2.0)
    world.faulty = MARKETS[1]
    with structlog.testing.capture_logs() as logged:
        task = asyncio.create_task(world.recorder.run())
        await until(lambda: len([note for note in world.written if note.kind == "explanation"]) == 2)
        await end_tasks([task])
    assert ["notes failed, trying again"] == [line["event"] for line in logged]
    world.faulty = None
    world.quote(1, 2.2)
    assert [MARKETS[1]] == [name for name, _ in world.explained()]


def test_feeds_and_configs_are_noted_when_they_change() -> None:
    world = World()
    kinds = [(note.kind, note.name) for note in world.noted()]
    assert [("feed", "sim"), ("config", "p1")] == kinds
    world.now_s += 2
    assert [] == world.noted()
    world.state, world.now_s = "lagging", world.now_s + 2
    (note,) = world.noted()
    assert b'{"feed":"sim","state":"lagging","reason":"None"}' == note.body
