"""What is noted for the history: of which position an explanation is, which comes first, and how much of the time it takes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import orjson

from oddsengine.domain.ids import MarketId
from oddsengine.engine.explain import explain
from oddsengine.engine.noting.recorder import EVERY_S, NoteRecorder
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.streams.notes.log import Explanation, Note
from tests.support.builders import a_batch, a_definition, a_quote, live, market_updates

MARKETS = [MarketId(f"e{number}/match_odds") for number in range(8)]


class World:
    """An engine's pipeline, its recorder, and a clock that each explanation moves on."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.costs_s = 0.0
        self.state = "live"
        self.pipeline = Pipeline(Pricer({"default": Profile()}), ("src",))
        self.pipeline.receive(live(), 1)
        engine: Any = SimpleNamespace(
            pipeline=self.pipeline,
            ownership=SimpleNamespace(active=[SimpleNamespace(shard=0)], owned=[0]),
            explain=self.explain,
            feeds=lambda: [{"feed": "sim", "state": self.state, "reason": None}],
        )
        self.recorder = NoteRecorder(engine, None, "p1", lambda: "abc", self.clock, lambda: 5, self.clock)  # type: ignore[arg-type]

    def clock(self) -> float:
        return self.now_s

    def explain(self, market: MarketId) -> Any:
        self.now_s += self.costs_s
        return explain(self.pipeline, market, 1)

    def quote(self, number: int, odds: float, status: Any = "open", *, is_flushed: bool = True) -> None:
        definition = a_definition(MARKETS[number], status=status)
        books = (a_quote("home", odds), a_quote("away", odds / (odds - 1)))
        self.pipeline.receive(a_batch(*market_updates(definition, *books, source_id=f"1.{number}")), 1)
        if is_flushed:
            self.pipeline.flush(0, 1)
            self.pipeline.offers[0].commit(1)

    def explained(self) -> list[tuple[str, Explanation]]:
        return [(note.name, decoded(note)) for note in self.recorder.step() if note.kind == "explanation"]


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


def test_feeds_and_configs_are_noted_when_they_change() -> None:
    world = World()
    kinds = [(note.kind, note.name) for note in world.recorder.step()]
    assert [("feed", "sim"), ("config", "p1")] == kinds
    world.now_s += 2
    assert [] == world.recorder.step()
    world.state, world.now_s = "lagging", world.now_s + 2
    (note,) = world.recorder.step()
    assert b'{"feed":"sim","state":"lagging","reason":"None"}' == note.body
