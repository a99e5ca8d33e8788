"""Who speaks for a market, and for how long: no source opens what another knows to be over, begun or old."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from feeds.toolkit.standard_markets import Phase, match_result
from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketDefinition, MarketGone, MarketUpdate, SourceStatus
from oddsengine.domain.ids import EventId
from oddsengine.engine.explain import explain
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.pricing.profiles.rules import Rule
from tests.support.builders import a_definition
from tests.support.feeds import Feeds, a_match
from tests.support.sources import CLOSED, HOUR_MS, MINUTE_MS, MONEYLINE, OPEN, A, B, C, Sources

HOME_WON = {"home": "winner", "away": "loser"}


def a_result(**results: str) -> MarketDefinition:
    """A closed market with the result of some selections."""
    closed = a_definition("e1/moneyline", type="moneyline", status="closed")
    selections = tuple(msgspec.structs.replace(each, status=results.get(each.key, "loser")) for each in closed.selections)
    return msgspec.structs.replace(closed, selections=selections)


def a_consensus(*sources: str, **rule: Any) -> Sources:
    profile = Profile(ladder="decimal_3", book_sum=1.0, max_age_s=60.0)
    return Sources(*sources, profile=profile, mode="consensus", **{"min_sources": 1, "outlier": 1.0, **rule})


def test_members_that_are_too_old_are_left_out_of_a_consensus() -> None:
    sources = a_consensus(A, B, C).offer(A, 2.0).offer(B, 2.0).at(HOUR_MS).offer(C, 1.2)
    assert OPEN == sources.state()
    assert {"home": 1200, "away": 6000} == {key: round(price or 0, -1) for key, price in sources.prices().items()}
    explanation = explain(sources.pipeline, MONEYLINE, sources.now)
    assert explanation is not None
    assert ((C,), (A, B)) == (explanation["consensus"]["used"], explanation["consensus"]["old"])


def test_too_few_young_members_suspend_as_old() -> None:
    sources = a_consensus(A, B, C, min_sources=2).offer(A).offer(B).at(HOUR_MS).offer(C, 1.2)
    assert ("suspended", "source_old") == sources.state()
    assert OPEN == sources.quote(A, 1.2).state()
    assert ("suspended", "too_few_sources") == sources.health(B, "down").health(C, "down").state()


def test_a_consensus_is_taken_again_when_a_member_becomes_too_old() -> None:
    """Only because time has passed: no source says anything."""
    sources = a_consensus(A, B, min_sources=2).offer(A).at(30_000).offer(B)
    assert OPEN == sources.at(60_000).state()
    assert ("suspended", "source_old") == sources.at(60_001).state()
    sources = a_consensus(A, B).offer(A, 2.0).at(30_000).offer(B, 2.02)
    assert 2009 == sources.at(60_000).prices()["home"]
    assert 2020 == sources.at(60_001).prices()["home"]
    assert ("suspended", "source_old") == sources.at(90_001).state()


def test_an_old_first_member_leaves_the_definition_to_the_next() -> None:
    sources = a_consensus(A, B).offer(A, 2.0).offer(B, 4.0).at(HOUR_MS)
    for _ in range(3):
        assert 4000 == sources.quote(B, 4.0).prices()["home"]


@pytest.mark.parametrize("ending", ["down", "stale", "gone", "closed again", "nothing"])
@pytest.mark.parametrize("is_flushed", [True, False])
@pytest.mark.parametrize(
    "rule", [{}, {"primary_suspends": False}, {"mode": "consensus", "min_sources": 1}, {"shared_state": False}]
)
def test_a_market_closed_with_a_result_stays_closed(ending: str, is_flushed: bool, rule: dict[str, Any]) -> None:
    sources = Sources(A, B, **rule).offer(A).offer(B)
    assert OPEN == sources.state()
    sources.define(A, a_result(home="winner"))
    if is_flushed:
        assert CLOSED == sources.state()
    if ending == "gone":
        sources.receive(A, MarketGone("m"))
    elif ending == "closed again":
        sources.define(A, a_result(home="winner"))
    elif ending != "nothing":
        sources.health(A, ending)
    for _ in range(2):
        assert (CLOSED, HOME_WON) == (sources.state(), sources.results())
        sources.at(sources.now + HOUR_MS).offer(B, 2.0)


def test_only_the_source_that_closed_a_market_reopens_it() -> None:
    sources = Sources(A, B).offer(A).offer(B).define(A, a_result(home="winner"))
    assert CLOSED == sources.state()
    sources.health(A, "down").define(A)
    assert CLOSED == sources.state(), "not while it is down"
    assert OPEN == sources.health(A, "live").state()
    assert {"home": 2000, "away": 2000} == sources.prices()
    assert OPEN == sources.health(A, "down").state(), "the second prices it again"


def test_a_result_may_be_revised_by_the_source_that_closed_the_market() -> None:
    sources = Sources(A, B).offer(A).offer(B).define(A, a_result(home="winner"))
    assert HOME_WON == sources.results()
    sources.define(A, a_result(home="void", away="void"))
    assert (CLOSED, {"home": "void", "away": "void"}) == (sources.state(), sources.results())
    sources.health(A, "down")
    assert (CLOSED, {"home": "void", "away": "void"}) == (sources.state(), sources.results())


def test_the_fallback_that_closed_a_market_has_the_last_word() -> None:
    sources = Sources(A, B).offer(A).offer(B).health(A, "down").flushed().define(B, a_result(home="winner"))
    assert (CLOSED, HOME_WON) == (sources.state(), sources.results())
    assert CLOSED == sources.health(A, "live").offer(A).state()
    assert OPEN == sources.define(B).state()


def test_a_market_of_which_all_selections_were_removed_has_a_result() -> None:
    void = a_definition("e1/moneyline", type="moneyline", status="closed", removed=("home", "away"))
    sources = Sources(A, B).offer(A).offer(B).define(A, void).health(A, "down")
    assert CLOSED == sources.state()


def test_an_ended_event_is_kept_while_another_source_still_offers_it() -> None:
    sources = Sources(A, B).offer(A).offer(B).define(A, a_result(home="winner")).flushed()
    pipeline = sources.pipeline
    for now_ms in (0, 10_000, 20_000):
        pipeline.retire(0, now_ms, 500)
    assert CLOSED == sources.offer(B).state()
    sources.receive(B, MarketGone("m")).flushed()
    pipeline.retire(0, 30_000, 500)
    assert {} == pipeline.offers[0].events
    sources = Sources(A, B).offer(A).offer(B).define(A, a_result(home="winner")).flushed()
    for now_ms in (0, 24 * HOUR_MS, 24 * HOUR_MS + 500):
        assert sources.pipeline.offers[0].events
        sources.pipeline.retire(0, now_ms, 500)
    assert {} == sources.pipeline.offers[0].events, "not for ever"


ELSEWHERE = ("suspended", "in_play_elsewhere")


@pytest.mark.parametrize("status", ["open", "suspended"])
def test_a_market_is_suspended_until_its_speaker_is_in_play_too(status: str) -> None:
    sources = Sources(A, B).offer(A).offer(B)
    assert OPEN == sources.state()
    assert ELSEWHERE == sources.define(B, status=status, in_play=True).state()
    assert {"home": None, "away": None} == sources.prices()
    assert OPEN == sources.define(A, in_play=True).state()


@pytest.mark.parametrize("fields", [{"in_play": True, "score": "2-0"}, {"in_play": True}, {"score": "0-1"}])
@pytest.mark.parametrize("source", [A, B])
def test_an_event_that_has_begun_suspends_pre_match_prices(source: str, fields: dict[str, Any]) -> None:
    sources = Sources(A, B).offer(A).flushed().event(source, **fields)
    assert ELSEWHERE == sources.state(), "in the same flush, by the event alone"
    assert OPEN == sources.define(A, in_play=True).state()


def test_an_event_without_a_goal_has_not_begun_by_its_score() -> None:
    assert OPEN == Sources(A, B).offer(A).event(B, score="0-0").state()


def test_the_only_source_is_held_to_what_it_says_of_its_event() -> None:
    assert ELSEWHERE == Sources(A).offer(A).flushed().event(A, in_play=True).state()


@pytest.mark.parametrize("status", ["closed", "result"])
def test_a_market_closed_by_another_source_is_suspended(status: str) -> None:
    sources = Sources(A, B).offer(A).offer(B).flushed()
    sources.define(
        B, a_result(home="winner") if status == "result" else None, **({} if status == "result" else {"status": status})
    )
    assert ("suspended", "closed_elsewhere") == sources.state()
    sources.health(B, "down")
    assert (OPEN if status == "closed" else ("suspended", "closed_elsewhere")) == sources.state(), "a result stands"
    assert OPEN == sources.health(B, "live").offer(B).state()


@pytest.mark.parametrize("status", ["open", "suspended"])
def test_winners_that_another_source_names_suspend_before_it_closes_the_market(status: Any) -> None:
    sources = Sources(A, B).offer(A).offer(B).flushed()
    sources.define(B, msgspec.structs.replace(a_result(home="winner"), status=status))
    assert ("suspended", "closed_elsewhere") == sources.state()
    assert ("suspended", "closed_elsewhere") == sources.health(B, "down").state(), "winners stand"
    assert OPEN == sources.health(B, "live").offer(B).state()


@pytest.mark.parametrize("health", ["lagging", "stale", "down"])
@pytest.mark.parametrize("rule", [{}, {"mode": "consensus", "min_sources": 1}])
@pytest.mark.parametrize("is_market", [True, False])
def test_what_has_begun_has_begun_also_when_the_source_that_said_so_is_lost(is_market: bool, health: Any, rule: Any) -> None:
    sources = Sources(A, B, **rule).offer(A)
    sources = sources.offer(B, in_play=True) if is_market else sources.event(B, score="1-0")
    assert ELSEWHERE == sources.state()
    assert ELSEWHERE == sources.health(B, health).state()
    taken_back = sources.health(B, "live").event(B)
    assert OPEN == (taken_back.offer(B) if is_market else taken_back).state(), "a source may correct itself"
    taken_back.health(B, health).event(B, in_play=True)
    assert ELSEWHERE == taken_back.state(), "as late as it says so"
    assert OPEN == taken_back.define(A, in_play=True).state()


def test_the_config_may_say_otherwise() -> None:
    sources = Sources(A, B, shared_state=False).offer(A).offer(B, in_play=True).event(B, in_play=True, score="2-0")
    assert OPEN == sources.state()
    assert OPEN == sources.define(B, status="closed").state()
    sources = Sources(A, B, C, late_in_play=("f",)).offer(A).offer(B, in_play=True)
    assert OPEN == sources.state()
    assert ("suspended", "closed_elsewhere") == sources.define(B, status="closed").state()
    assert ELSEWHERE == Sources(A, B, late_in_play=(B,)).offer(A).offer(B, in_play=True).state()


def test_a_source_that_is_not_behind_speaks_where_the_first_does_not_suspend() -> None:
    sources = Sources(A, B, primary_suspends=False).offer(A).offer(B, 4.0, in_play=True)
    assert 4000 == sources.prices()["home"]


def test_a_consensus_is_of_those_that_are_in_play() -> None:
    rule: dict[str, Any] = {"mode": "consensus", "min_sources": 2, "primary_suspends": False}
    sources = Sources(A, B, C, **rule).offer(A, 2.0).offer(B, 2.0).offer(C, 4.0, in_play=True)
    assert ELSEWHERE == sources.state()
    assert 4000 == sources.offer(B, 4.0, in_play=True).prices()["home"]
    assert ELSEWHERE == Sources(A, B, mode="consensus").offer(A).offer(B, in_play=True).state()


def test_a_result_stands_whichever_feeds_id_the_event_has() -> None:
    feeds = Feeds("b", "p").match("b", a_match("b.1")).match("p", a_match("p.9"), 4.0, 4 / 3)
    assert "open" == feeds.market("b.1/moneyline")[0]
    feeds.match("b", a_match("b.1"), phase=Phase("closed")).update("b", SourceStatus("down", "cut"))
    assert ("open", 4000) == (feeds.market("b.1/moneyline")[0], feeds.market("b.1/moneyline")[2]["home"]), "no result is known"
    feeds.update("b", SourceStatus("live", "back"), closed_with_result("b.1")).update("b", SourceStatus("down", "cut"))
    assert ("closed", None) == feeds.market("b.1/moneyline")[:2]
    assert ("closed", None) == feeds.match("p", a_match("p.9"), 4.0, 4 / 3).market("b.1/moneyline")[:2]


def test_the_result_of_another_match_is_taken_back_when_the_match_is_taken_apart() -> None:
    feeds = Feeds("p", "b").match("b", a_match("b.1")).match("p", a_match("p.9"), 4.0, 4 / 3)
    feeds.update("p", closed_with_result("p.9"))
    assert ("closed", None) == feeds.market("b.1/moneyline")[:2]
    feeds.update("p", EventUpdate(a_match("p.9", "Burnley", "Norwich")))
    assert ("open", 2000) == (feeds.market("b.1/moneyline")[0], feeds.market("b.1/moneyline")[2]["home"])
    assert ("closed", None) == feeds.market("p.9/moneyline")[:2]


def closed_with_result(event: str) -> MarketUpdate:
    definition = match_result(EventId(event), "Leeds United", "Fulham", Phase("closed"), three_way=False)
    selections = tuple(msgspec.structs.replace(each, status="winner") for each in definition.selections)
    return MarketUpdate(definition.id, definition=msgspec.structs.replace(definition, selections=selections))


def quoted(sources: Sources, source: str, home: float) -> Sources:
    """Quote both sides as a bookmaker does."""
    odds = {"home": home, "away": 1 / (1 - 1 / home)}
    return sources.receive(source, MarketUpdate("m", books=[BookChange(f"s-{key}", quote=each) for key, each in odds.items()]))


@pytest.mark.parametrize("health", ["lagging", "stale", "down"])
def test_a_source_that_is_back_has_confirmed_no_jump(health: str) -> None:
    sources = Sources(A, profile=Profile(ladder="decimal_3", book_sum=1.0, jump_limit=0.2)).offer(A, 2.5)
    assert OPEN == sources.state()
    assert ("suspended", "spike") == sources.quote(A, 5.0).state()
    assert ("suspended", f"source_{health}") == sources.health(A, health).state()
    assert ("suspended", "spike") == sources.health(A, "live").state()
    assert OPEN == sources.quote(A, 5.05).state()


@pytest.mark.parametrize("lost", ["source", "market"])
def test_what_comes_back_at_a_jump_is_not_open_until_it_is_confirmed(lost: str) -> None:
    sources = Sources(A, profile=Profile(ladder="decimal_3", book_sum=1.0, jump_limit=0.2)).offer(A, 2.5)
    assert OPEN == sources.state()
    if lost == "source":
        sources.health(A, "down").flushed().health(A, "live").quote(A, 5.0)
    else:
        sources.receive(A, MarketGone("m")).flushed().offer(A, 5.0)
    assert ("suspended", "spike") == sources.state()
    assert OPEN == sources.quote(A, 5.05).state()


@pytest.mark.parametrize("lost", ["source", "market"])
def test_an_image_that_repeats_a_jump_confirms_nothing(lost: str) -> None:
    sources = quoted(Sources(A, profile=Profile(ladder="decimal_3", book_sum=1.0, jump_limit=0.2)).define(A), A, 2.5)
    assert OPEN == sources.state()
    assert ("suspended", "spike") == quoted(sources, A, 5.0).state()
    if lost == "source":
        sources.health(A, "down").flushed().health(A, "live")
    else:
        sources.receive(A, MarketGone("m")).flushed()
    books = [BookChange("s-home", quote=5.0), BookChange("s-away", quote=1.25)]
    image = MarketUpdate("m", True, a_definition("e1/moneyline", type="moneyline"), books)
    assert ("suspended", "spike") == sources.receive(A, image).state()
    assert OPEN == quoted(sources, A, 5.05).state()


def test_what_a_source_reopens_at_is_no_jump_though_it_was_lost_meanwhile() -> None:
    sources = Sources(A, profile=Profile(ladder="decimal_3", book_sum=1.0, jump_limit=0.2)).offer(A, 2.5)
    assert OPEN == sources.state()
    sources.health(A, "down").flushed().define(A, status="suspended").health(A, "live").flushed()
    assert OPEN == sources.offer(A, 5.0).state()


@pytest.mark.parametrize(("settings", "prices"), [({"max_age_s": 30.0}, 2500), ({"suspend": True}, 2500), ({}, 2000)])
def test_a_rule_for_a_source_holds_for_it_as_a_member_of_a_consensus(settings: dict[str, Any], prices: int) -> None:
    rules = (Rule(source=A, **settings),) if settings else ()
    profile = Profile(ladder="decimal_3", book_sum=1.0, rules=rules)
    sources = Sources(A, B, profile=profile, mode="consensus", min_sources=1, outlier=0.3, weights={A: 3.0})
    quoted(sources.define(A), A, 2.0).flushed()
    quoted(sources.define(B), B, 2.5).flushed()
    assert prices == round(quoted(sources.at(31_000), B, 2.5).prices()["home"] or 0, -1)
    refused = ("suspended", "source_old" if "max_age_s" in settings else "too_few_sources")
    assert (refused if settings else OPEN) == sources.health(B, "down").state()


def test_a_consensus_confirms_its_jump_by_moving_again() -> None:
    """Its members are too far apart for one of them to bear it out."""
    profile = Profile(ladder="decimal_3", book_sum=1.0, jump_limit=0.1)
    sources = Sources(A, B, profile=profile, mode="consensus", min_sources=2, outlier=1.0).define(A).define(B)
    quoted(sources, A, 2.0)
    assert OPEN == quoted(sources, B, 3.0).state()
    quoted(sources, A, 3.0)
    assert ("suspended", "spike") == quoted(sources, B, 6.0).state()
    repeated = quoted(sources, A, 3.0).at(MINUTE_MS)
    assert ("suspended", "spike") == repeated.state(), "neither time nor a repetition confirms it"
    assert OPEN == quoted(sources, A, 3.05).state()
