"""A pipeline whose ids of events are decided elsewhere: what is published before, and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from feeds.toolkit.standard_markets import match_result
from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketGone, MarketUpdate
from oddsengine.domain.ids import EventId
from oddsengine.sourcing.matching.identities import Decisions
from tests.support.builders import a_command
from tests.support.feeds import KICK_OFF, OPEN, Feeds, a_match
from tests.support.streams.identity_world import IdentityWorld

if TYPE_CHECKING:
    from oddsengine.domain.events import Event
    from oddsengine.sourcing.matching.matcher import Matcher


class Engine(Feeds):
    """An engine's pipeline, which takes over decisions."""

    def __init__(self, *sources: str) -> None:
        super().__init__(*sources, defers_matching=True)

    @property
    def matcher(self) -> Matcher:
        assert self.pipeline.matcher is not None
        return self.pipeline.matcher

    def take(self, decisions: Decisions) -> Engine:
        assert self.pipeline.matched is not None
        self.pipeline.matched.apply(decisions)
        return self

    def decide(self) -> Decisions:
        """Decide as the engine that decides does, and return what it has decided."""
        decisions = self.matcher.propose(self.now)
        self.take(decisions)
        return decisions

    @property
    def everything(self) -> Decisions:
        """What is in the table."""
        return Decisions({**self.matcher.decided}, {**self.matcher.possible})


def turned(event: Event) -> Event:
    sides = event.participants[::-1]
    return msgspec.structs.replace(event, participants=sides, name=" v ".join(sides))


def test_nothing_is_published_of_an_event_before_its_id_is_decided() -> None:
    engine = Engine("b", "p")
    engine.match("p", a_match("p.9"))
    assert set() == engine.events
    engine.update("p", MarketUpdate("p.9/moneyline", books=[BookChange("home", quote=1.5), BookChange("away", quote=3.0)]))
    assert set() == engine.events
    engine.decide()
    assert {"p.9"} == engine.events
    assert ("open", None, {"home": 1500, "away": 3000}) == engine.market("p.9/moneyline")


def test_a_market_withdrawn_before_the_decision_is_not_published() -> None:
    engine = Engine("b", "p")
    engine.match("p", a_match("p.9")).update("p", MarketGone("p.9/moneyline"))
    engine.decide()
    assert {"p.9"} == engine.events
    assert not engine.pipeline.offers[0].markets


def test_the_order_of_feeds_changes_no_id() -> None:
    first = Engine("b", "p")
    first.match("b", a_match("b.1"))
    first.decide()
    first.match("p", a_match("p.9"))
    first.decide()
    assert {"b.1"} == first.events
    # The other way round in the config, and the first to connect; its events are described before and after the table is read.
    other = Engine("p", "b")
    other.match("p", a_match("p.9"))
    other.take(first.everything)
    assert {"b.1"} == other.events
    assert "open" == other.market("b.1/moneyline")[0]
    other.match("b", a_match("b.1"))
    other.matcher.reconsider_all()
    assert not other.decide(), "the new one decides nothing otherwise"
    assert first.matcher.decided == other.matcher.decided


def test_an_event_keeps_its_id_while_the_feed_that_gave_it_is_away() -> None:
    first = Engine("b", "p").match("b", a_match("b.1")).match("p", a_match("p.9"))
    assert isinstance(first, Engine)
    first.decide()
    other = Engine("b", "p").take(first.everything)
    other.match("p", a_match("p.9"))
    other.matcher.reconsider_all()
    other.matcher.delist_missing(())
    other.decide()
    assert {"b.1"} == other.events


def test_a_new_decision_moves_an_event_in_every_engine() -> None:
    engines = [Engine("b", "p"), Engine("p", "b")]
    for engine in engines:
        engine.match("b", a_match("b.1")).match("p", a_match("p.9"))
    engines[1].take(engines[0].decide())
    for engine in engines:
        engine.pipeline.obey(a_command("unmatch", event="b.1", values="p.9"))
        assert {"b.1"} == engine.events, "not before it is decided"
    engines[1].take(engines[0].decide())
    assert [{"b.1", "p.9"}] * 2 == [engine.events for engine in engines]
    for engine in engines:
        engine.pipeline.obey(a_command("unmatch", event="b.1", values="p.9", lifted_ms=20))
    engines[1].take(engines[0].decide())
    assert [{"b.1"}] * 2 == [engine.events for engine in engines]


def test_pairs_in_doubt_are_the_same_in_every_engine() -> None:
    engines = [Engine("b", "p"), Engine("p", "b")]
    for engine in engines:
        engine.match("b", a_match("b.1")).match("p", a_match("p.9", start=KICK_OFF + 150 * 60_000))
    engines[1].take(engines[0].decide())
    assert engines[0].matcher.review_candidates
    assert engines[0].matcher.review_candidates == engines[1].matcher.review_candidates


def test_a_match_that_is_turned_round_is_suspended_until_it_is_decided_how_it_stands() -> None:
    """Also in an engine that has the decision before the feed's update, or the update before the decision."""
    engines = [Engine("b", "p"), Engine("p", "b")]
    for engine in engines:
        engine.match("b", a_match("b.1")).match("p", a_match("p.9"), home=3.0, away=1.5)
    engines[1].take(engines[0].decide())
    now = turned(a_match("b.1"))
    engines[0].match("b", now, home=3.0, away=1.5)
    engines[0].update("p", MarketGone("p.9/moneyline"))
    assert "suspended" == engines[0].market("b.1/moneyline")[0]
    decisions = engines[0].decide()
    assert ("open", None, {"home": 3000, "away": 1500}) == engines[0].market("b.1/moneyline")
    engines[1].update("p", MarketGone("p.9/moneyline"))
    engines[1].take(decisions)
    assert "suspended" == engines[1].market("b.1/moneyline")[0]
    engines[1].match("b", now, home=3.0, away=1.5)
    assert ("open", None, {"home": 3000, "away": 1500}) == engines[1].market("b.1/moneyline")


def test_what_was_decided_of_an_event_is_dropped_once_no_feed_has_it_for_a_while() -> None:
    engine = Engine("b", "p")
    engine.match("b", a_match("b.1", start=1_000)).match("p", a_match("p.9", start=1_000))
    engine.decide()
    assert not engine.matcher.ended((), 5_000), "feeds have it"
    engine.matcher.forget(EventId("b.1"))
    assert not engine.matcher.ended((), 500)
    assert not engine.matcher.ended({"p"}, 5_000), "a feed that is not live may have it"
    ended = engine.matcher.ended((), 5_000)
    assert {"b.1": None, "p.9": None} == ended.identities
    engine.take(ended)
    assert {} == engine.matcher.decided
    engine.update("b", EventUpdate(a_match("b.1")))
    assert {"b.1"} == engine.decide().identities.keys()


def test_a_definition_before_its_event_waits_for_it() -> None:
    engine = Engine("b", "p")
    event = a_match("p.9")
    home, away = event.participants
    definition = match_result(event.id, home, away, OPEN, three_way=False)
    books = [BookChange("home", quote=2.0), BookChange("away", quote=2.0)]
    engine.update("p", MarketUpdate(definition.id, image=True, definition=definition, books=books))
    engine.decide()
    assert set() == engine.events
    engine.update("p", EventUpdate(event))
    engine.decide()
    assert "open" == engine.market("p.9/moneyline")[0]


def test_a_settling_command_is_obeyed_once_it_is_decided_what_it_changes() -> None:
    world = IdentityWorld()
    decider, other = world.start(), world.start()
    decider.decides = True
    for engine in (decider, other):
        engine.settle()
        engine.keeper.obey(7, settles=False)
        assert 7 == engine.keeper.acknowledged
        engine.keeper.obey(9, settles=True)
        assert 7 == engine.keeper.acknowledged
    other.settle()
    assert 7 == other.keeper.acknowledged, "that is up to the other one"
    decider.settle()
    assert 9 == decider.keeper.acknowledged
    other.settle()
    assert 9 == other.keeper.acknowledged
    # One that has read all of it from the tables.
    late = world.start()
    late.keeper.obey(9, settles=True)
    late.settle()
    assert 9 == late.keeper.acknowledged
