"""Several feeds, one market."""

from __future__ import annotations

from typing import Any

import pytest

from feeds.toolkit.standard_markets import Phase, asian_handicap, match_result, total
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketGone, MarketUpdate, SourceStatus
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.engine.explain import explain
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.matching.matcher import MatchingSettings
from oddsengine.sourcing.source_selector import SourcingRule
from tests.support.builders import a_batch, live

KICK_OFF = 1_795_532_400_000
OPEN = Phase()


def a_match(key: str, home: str = "Leeds United", away: str = "Fulham", start: int = KICK_OFF) -> Event:
    competition = Competition(f"{key.partition('.')[0]}.league", "League")
    return Event(
        id=EventId(key),
        sport="football",
        competition=competition,
        name=f"{home} v {away}",
        participants=(home, away),
        start_ms=start,
    )


class Floor:
    """A pipeline and the feeds that speak to it."""

    def __init__(self, *sources: str, matching: MatchingSettings | None = None, **rule: Any) -> None:
        profile = Profile(ladder="decimal_3", book_sum=1.0, devig="multiplicative")
        rules = [SourcingRule(**rule)] if rule else []
        self.pipeline = Pipeline(Pricer({"default": profile}), sources, 1, rules, matching)
        self.now = 0
        for source in sources:
            self.pipeline.receive(live(source), 0)

    def say(self, source: str, *updates: Any) -> Floor:
        self.pipeline.receive(a_batch(*updates, source=source), self.now)
        return self

    def match(self, source: str, event: Event, home: float = 2.0, away: float = 2.0, phase: Phase = OPEN) -> Floor:
        first, second = event.participants
        definition = match_result(event.id, first, second, phase, three_way=False)
        books = [BookChange("home", quote=home), BookChange("away", quote=away)]
        return self.say(source, EventUpdate(event), MarketUpdate(definition.id, image=True, definition=definition, books=books))

    def flushed(self) -> Floor:
        self.pipeline.tick(self.now)
        self.pipeline.flush(0, self.now)
        self.pipeline.offers[0].commit(self.now)
        return self

    @property
    def events(self) -> set[str]:
        self.flushed()
        return set(self.pipeline.offers[0].events)

    def market(self, key: str) -> tuple[str, str | None, dict[str, int | None]]:
        self.flushed()
        record = self.pipeline.offers[0].markets[MarketId(key)]
        return record.state.status, record.state.reason, {name: each.prices[0] for name, each in record.selections.items()}


def test_one_match_of_two_feeds_is_one_event_under_its_first_id() -> None:
    floor = Floor("b", "p").match("b", a_match("b.1"), 2.0, 2.0).match("p", a_match("p.9", "Leeds", "Fulham FC"), 4.0, 4 / 3)
    assert {"b.1"} == floor.events
    assert ("open", None, {"home": 2000, "away": 2000}) == floor.market("b.1/moneyline")
    floor.say("b", SourceStatus("down", "cut"))
    assert ("open", None, {"home": 4000, "away": 1333}) == floor.market("b.1/moneyline")
    floor.say("p", SourceStatus("stale", "silent"))
    assert ("suspended", "source_down", {"home": None, "away": None}) == floor.market("b.1/moneyline")


def test_prices_turn_round_with_home_and_away() -> None:
    floor = Floor("b", "p").match("b", a_match("b.1")).say("b", SourceStatus("down", "cut"))
    turned = a_match("p.9", "Fulham", "Leeds")
    floor.match("p", turned, home=4.0, away=4 / 3)
    assert ("open", None, {"home": 1333, "away": 4000}) == floor.market("b.1/moneyline")
    line = asian_handicap(turned.id, -0.5, "Fulham", "Leeds", OPEN)
    books = [BookChange("home", quote=4.0), BookChange("away", quote=4 / 3)]
    floor.say("p", MarketUpdate(line.id, image=True, definition=line, books=books))
    assert {"home": 1333, "away": 4000} == floor.market("b.1/asian_handicap/ft/0.5")[2]
    over = total(turned.id, 2.5, OPEN)
    floor.say(
        "p", MarketUpdate(over.id, definition=over, books=[BookChange("over", quote=4.0), BookChange("under", quote=4 / 3)])
    )
    assert {"over": 4000, "under": 1333} == floor.market("b.1/total/ft/2.5")[2]


def test_a_match_that_is_found_later_moves_what_was_published() -> None:
    floor = Floor("b", "p").match("b", a_match("b.1")).match("p", a_match("p.9", "To Be", "Announced"), 4.0, 4 / 3)
    assert {"b.1", "p.9"} == floor.events
    floor.say("b", SourceStatus("down", "cut")).flushed()
    floor.say("p", EventUpdate(a_match("p.9", "Leeds", "Fulham")))
    assert {"b.1"} == floor.events
    assert ("open", None, {"home": 4000, "away": 1333}) == floor.market("b.1/moneyline")
    assert MarketId("p.9/moneyline") not in floor.pipeline.offers[0].markets


def test_a_doubtful_pair_stays_two_events_and_is_listed_until_the_table_settles_it() -> None:
    late = a_match("p.9", start=KICK_OFF + 150 * 60_000)
    floor = Floor("b", "p").match("b", a_match("b.1")).match("p", late)
    assert {"b.1", "p.9"} == floor.events
    assert floor.pipeline.id_mapper is not None
    assert 1 == len(floor.pipeline.id_mapper.matcher.review_candidates)
    floor = Floor("b", "p", matching=MatchingSettings(matches=(("p.9", "b.1"),))).match("b", a_match("b.1")).match("p", late)
    assert {"b.1"} == floor.events


def test_markets_with_a_providers_own_selections_are_not_mixed() -> None:
    floor = Floor("b", "p").match("b", a_match("b.1")).match("p", a_match("p.9"))
    own = total(EventId("p.9"), 2.5, OPEN)
    import msgspec

    selections = tuple(msgspec.structs.replace(each, key=f"r{place}") for place, each in enumerate(own.selections))
    definition = msgspec.structs.replace(own, type="correct_score", id=MarketId("p.9/correct_score"), selections=selections)
    floor.say("p", MarketUpdate("cs", definition=definition)).flushed()
    assert {"b.1/moneyline"} == set(floor.pipeline.offers[0].markets)


def test_a_market_returns_to_its_first_source_only_after_a_while() -> None:
    floor = Floor("b", "p", hold_s=30.0).match("b", a_match("b.1")).match("p", a_match("p.9"), 4.0, 4 / 3).flushed()
    floor.now = 1_000
    floor.say("b", SourceStatus("stale", "silent")).flushed()
    floor.now = 2_000
    floor.say("b", SourceStatus("live", "back"))
    assert 4000 == floor.market("b.1/moneyline")[2]["home"]
    floor.now = 31_999
    assert 4000 == floor.market("b.1/moneyline")[2]["home"]
    floor.now = 32_000
    assert 2000 == floor.market("b.1/moneyline")[2]["home"], "without a word of either source"


def test_a_consensus_prices_by_the_median_and_says_who_was_left_out() -> None:
    floor = Floor("a", "b", "c", mode="consensus", min_sources=2, outlier=0.05)
    for source, home in (("a", 2.0), ("b", 2.0), ("c", 4.0)):
        floor.match(source, a_match(f"{source}.1"), home, 1 / (1 - 1 / home))
    assert ("open", None, {"home": 2000, "away": 2000}) == floor.market("a.1/moneyline")
    explanation = explain(floor.pipeline, MarketId("a.1/moneyline"), 0)
    assert explanation is not None
    assert ("consensus", ("a", "b"), ("c",)) == (
        explanation["priced_by"],
        explanation["consensus"]["used"],
        explanation["consensus"]["outliers"],
    )
    assert "consensus" == explanation["selections"]["home"]["profiles"]["default"]["steps"][0]["basis"]
    floor.match("b", a_match("b.1"), 2.1, 1 / (1 - 1 / 2.1))
    assert 2048 == floor.market("a.1/moneyline")[2]["home"]
    floor.say("b", MarketGone("b.1/moneyline"))
    assert ("suspended", "too_few_sources", {"home": None, "away": None}) == floor.market("a.1/moneyline")


@pytest.mark.parametrize("primary_suspends", [True, False])
def test_a_suspension_by_the_first_source(primary_suspends: bool) -> None:
    floor = Floor("b", "p", primary_suspends=primary_suspends)
    floor.match("b", a_match("b.1")).match("p", a_match("p.9"), 4.0, 4 / 3).flushed()
    floor.match("b", a_match("b.1"), phase=Phase("suspended"))
    status, reason, _ = floor.market("b.1/moneyline")
    assert (("suspended", "provider") if primary_suspends else ("open", None)) == (status, reason)


def test_an_event_is_described_by_who_can_be_trusted_but_stays_where_its_subscribers_follow_it() -> None:
    import msgspec

    floor = Floor("b", "p").match("b", a_match("b.1")).match("p", a_match("p.9", "Leeds", "Fulham")).flushed()
    floor.say("p", EventUpdate(msgspec.structs.replace(a_match("p.9", "Leeds", "Fulham"), in_play=True, score="1-0")))
    record = floor.flushed().pipeline.offers[0].events[EventId("b.1")].record
    assert (False, "b.league") == (record.progress.in_play, record.description.competition.id)
    floor.say("b", SourceStatus("down", "cut")).flushed()
    assert (True, "1-0") == (record.progress.in_play, record.progress.score)
    assert "b.league" == record.description.competition.id


def test_an_event_that_ended_is_forgotten_by_every_feed() -> None:
    floor = Floor("b", "p").match("b", a_match("b.1"), phase=Phase("closed")).match("p", a_match("p.9"), phase=Phase("closed"))
    floor.flushed()
    floor.pipeline.retire(0, 1_000, 0)
    floor.pipeline.retire(0, 2_000, 0)
    assert set() == floor.events
    floor.match("p", a_match("p.9"))
    assert {"p.9"} == floor.events
