"""Asian handicaps in play count from the score at the time of the bet, at most bookmakers, or from the start, at an exchange."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from feeds.toolkit.standard_markets import Phase, asian_handicap
from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketUpdate, SourceStatus
from oddsengine.domain.ids import EventId
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import an_event
from tests.support.pricing.scored_match import Match
from tests.support.sources import OPEN, A, B, Sources

WITH_MARGIN = Profile(book_sum=1.02, ladder="decimal_3", devig="multiplicative")


def test_an_asian_handicap_in_play_is_not_compared_without_a_score() -> None:
    """It may count from the current score."""
    match = Match()
    match.quote("match_odds", _in_play=True, home=2.578, draw=3.4, away=0)
    match.quote("asian_handicap/ft/-0.5", home=0, away=1.904)
    assert {"arbitrage"} == set(match.flush().values())
    match.quote("asian_handicap/ft/-0.5", _in_play=True, home=0, away=1.904)
    assert {None} == set(match.flush(2).values())
    match.quote("double_chance", _in_play=True, home_draw=1.7, draw_away=1.904, home_away=1.15)
    assert {"match_odds": "arbitrage", "asian_handicap/ft/-0.5": None, "double_chance": "arbitrage"} == match.flush(3)


@pytest.mark.parametrize(
    ("score", "counts_all", "reason"),
    [
        ("0-1", False, None),
        ("1-2", False, None),
        ("0-1", True, "arbitrage"),
        ("0-0", False, "arbitrage"),
        ("1-0", False, "arbitrage"),
        (None, False, None),
        (None, True, "arbitrage"),
    ],
)
def test_an_asian_handicap_in_play_counts_from_the_score_or_from_the_start(
    score: str | None, counts_all: bool, reason: str | None
) -> None:
    """Home with -0.5 at the price of home or draw, right only where the away side leads by a goal that does not count."""
    match = Match(profiles={"default": WITH_MARGIN})
    match.counts_all_goals = counts_all
    match.event(in_play=True, score=score)
    match.quote("match_odds", _in_play=True, home=2.578, draw=3.4, away=0)
    match.quote("asian_handicap/ft/-0.5", _in_play=True, home=1.466, away=0)
    assert {reason} == set(match.flush().values())


def test_an_asian_handicap_in_play_of_a_later_period_is_not_compared() -> None:
    """The score of the period is not known."""
    match = Match()
    match.event(in_play=True, score="1-1")
    match.quote("match_odds/h2", _in_play=True, home=2.578, draw=3.4, away=0)
    match.quote("asian_handicap/h2/-0.5", _in_play=True, home=0, away=1.904)
    assert {None} == set(match.flush().values())


def test_a_goal_is_counted_in_the_same_flush() -> None:
    match = Match(profiles={"default": WITH_MARGIN})
    match.event(in_play=True, score="0-1")
    match.quote("match_odds", _in_play=True, home=2.578, draw=3.4, away=0)
    match.quote("asian_handicap/ft/-0.5", _in_play=True, home=1.466, away=0)
    assert {None} == set(match.flush().values())
    match.event(in_play=True, score="1-1")
    assert {"arbitrage"} == set(match.flush(2).values())


@pytest.mark.parametrize(("sport", "score"), [("basketball", "40-20"), ("handball", None)])
def test_in_other_sports_handicaps_count_all_points_in_play(sport: str, score: str | None) -> None:
    match = Match(sport)
    match.event(in_play=True, score=score)
    result: dict[str, Any] = {"home": 2.578, "away": 0.0} if sport == "basketball" else {"home": 2.578, "draw": 9.0, "away": 0.0}
    match.quote("moneyline" if sport == "basketball" else "match_odds", _in_play=True, **result)
    match.quote("asian_handicap/ft/-0.5", _in_play=True, home=0, away=1.904)
    assert {"arbitrage"} == set(match.flush().values())


@pytest.mark.parametrize(
    ("sport", "score", "counts", "is_open"),
    [
        ("football", "1-0", (True, False), False),
        ("football", None, (True, False), False),
        ("football", "1-1", (True, False), True),
        ("football", "1-0", (False, False), True),
        ("basketball", "40-20", (True, False), True),
    ],
)
def test_a_source_that_counts_other_goals_does_not_stand_in_for_another(
    sport: str, score: str | None, counts: tuple[bool, bool], is_open: bool
) -> None:
    """Under one id, but -0.5 at 1-0 is another bet."""
    sources = Sources(A, B)
    event = an_event("e1", sport=sport, in_play=True, score=score)
    definition = asian_handicap(EventId("e1"), -0.5, "A", "B", Phase("open", in_play=True))
    for source, counts_all in zip((A, B), counts, strict=True):
        own = msgspec.structs.replace(definition, counts_all_goals=counts_all)
        books = [BookChange("home", quote=1.9), BookChange("away", quote=1.95)]
        sources.receive(source, EventUpdate(event), MarketUpdate("m", definition=own, books=books))
    assert OPEN == sources.state(definition.id)
    sources.receive(A, SourceStatus("down", "cut"))
    assert is_open == (OPEN == sources.state(definition.id))


def test_a_goal_alone_suspends_what_counts_other_goals() -> None:
    sources = Sources(A, B)
    definition = asian_handicap(EventId("e1"), -0.5, "A", "B", Phase("open", in_play=True))
    for source in (A, B):
        own = msgspec.structs.replace(definition, counts_all_goals=source == A)
        books = [BookChange("home", quote=1.9), BookChange("away", quote=1.95)]
        sources.event(source, in_play=True, score="1-1").receive(source, MarketUpdate("m", definition=own, books=books))
    sources.receive(A, SourceStatus("down", "cut"))
    assert OPEN == sources.state(definition.id)
    sources.event(B, in_play=True, score="2-1")
    assert "suspended" == sources.state(definition.id)[0]
    sources.event(B, in_play=True, score="2-2")
    assert OPEN == sources.state(definition.id)
