"""Rules follow what is known of an event now, and a market's own start."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from feeds.adapters.betfair.market_stream import MarketStream
from oddsengine.domain.feed_updates import MarketUpdate, UpdateBatch
from oddsengine.domain.ids import EventId
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.pricing.profiles.rules import Rule
from tests.support.builders import a_definition, a_quote, betfair_market, mcm
from tests.support.sources import HOUR_MS, MINUTE_MS, OPEN, A, B, Sources

ELSEWHERE = ("suspended", "in_play_elsewhere")


def suspended_before_start(minutes: float) -> Profile:
    return Profile(ladder="decimal_3", book_sum=1.0, rules=(Rule(starts_within_min=minutes, suspend=True),))


def test_a_market_with_a_start_of_its_own_follows_that() -> None:
    """A meeting with races at 15:00 and 17:30; it is 14:55, and betting ends ten minutes before the start."""
    three, half_past_five = 15 * HOUR_MS, 17 * HOUR_MS + 30 * MINUTE_MS
    sources = Sources(A, profile=suspended_before_start(10)).at(three - 5 * MINUTE_MS).event(A, start_ms=three)
    for number, start_ms in ((1, three), (2, half_past_five)):
        definition = a_definition(f"e1/winner/{number}", type="winner", start_ms=start_ms)
        books = [a_quote("home", 2.0), a_quote("away", 2.0)]
        sources.receive(A, MarketUpdate(str(number), definition=definition, books=books))
    # The event's own start may be any of them.
    for event_start_ms in (three, half_past_five, None):
        sources.event(A, start_ms=event_start_ms)
        assert ("suspended", "rule") == sources.state("e1/winner/1")
        assert OPEN == sources.state("e1/winner/2")
    assert ("suspended", "rule") == sources.at(half_past_five - 10 * MINUTE_MS).state("e1/winner/2")


def test_races_of_a_betfair_meeting_follow_their_own_market_times() -> None:
    """From the provider's bytes: `openDate` is the meeting's start, `marketTime` the race's."""
    now = round(datetime(2026, 5, 1, 14, 55, tzinfo=UTC).timestamp() * 1000)
    sources = Sources(A, profile=suspended_before_start(10)).at(now)
    stream = MarketStream(A)
    day = "2026-05-01T"
    for market, time in (("1.1", "15:00:00.000Z"), ("1.2", "17:30:00.000Z")):
        definition = {"marketType": "WIN", "eventTypeId": "7", "openDate": f"{day}13:00:00.000Z", "marketTime": f"{day}{time}"}
        levels = [{"id": runner, "batb": [[0, 1.98, 100]], "batl": [[0, 2.02, 100]]} for runner in (11, 22)]
        for found in stream.read_line(mcm({**betfair_market(market, **definition), "rc": levels}, pt=now)):
            assert isinstance(found, UpdateBatch)
            sources.pipeline.receive(found, now)
    assert ("suspended", "rule") == sources.state("f.a.900/winner/1.1")
    assert OPEN == sources.state("f.a.900/winner/1.2")


def test_a_later_race_is_not_in_play_because_an_earlier_one_is() -> None:
    sources = Sources(A).event(A, start_ms=HOUR_MS, in_play=True).offer(A, start_ms=2 * HOUR_MS)
    assert OPEN == sources.state()
    assert ELSEWHERE == sources.offer(A, start_ms=HOUR_MS).state()


def test_a_moved_start_resolves_rules_in_the_same_flush() -> None:
    sources = Sources(A, profile=suspended_before_start(60)).event(A, start_ms=5 * HOUR_MS).offer(A)
    assert OPEN == sources.state()
    sources.event(A, start_ms=10 * MINUTE_MS)
    sources.pipeline.flush(0, 0)
    assert ("suspended", "rule") == sources.state()
    assert OPEN == sources.event(A, start_ms=5 * HOUR_MS).state()


@pytest.mark.parametrize("edited", [{"competition": "league"}, {"sport": "tennis"}])
def test_an_edited_event_resolves_rules_in_the_same_flush(edited: dict[str, str]) -> None:
    rules = (Rule(tier="second", suspend=True), Rule(sport="tennis", suspend=True))
    profile = Profile(ladder="decimal_3", book_sum=1.0, rules=rules)
    sources = Sources(A, profile=profile, tiers={"top": ("cup",), "second": ("league",)}).offer(A)
    assert OPEN == sources.state()
    assert ("suspended", "rule") == sources.event(A, **edited).state()
    record = sources.pipeline.offers[0].events[EventId("e1")].record
    assert ("football", "cup") == (record.description.sport, record.description.competition.id), "where subscribers follow it"
    assert OPEN == sources.event(A).state()


def test_an_edited_event_chooses_its_source_anew() -> None:
    sources = Sources(A, B, competition="league", sources=(B,)).offer(A, 2.0).offer(B, 4.0)
    assert 2000 == sources.prices()["home"]
    assert 4000 == sources.event(A, competition="league").prices()["home"]


def test_rules_do_not_change_with_the_source_that_describes_an_event() -> None:
    profile = Profile(ladder="decimal_3", book_sum=1.0, rules=(Rule(competition="cup", book_sum=1.25),))
    sources = Sources(A, B, profile=profile).event(B, competition="b.cup").offer(A).offer(B)
    assert 1600 == sources.prices()["home"]
    assert 1600 == sources.health(A, "down").prices()["home"]
