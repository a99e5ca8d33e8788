"""Which events of different feeds are one."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId
from oddsengine.sourcing.matching.matcher import Matcher, MatchingSettings

KICK_OFF = 1_795_532_400_000
MINUTE = 60_000


def a_match(
    key: str, home: str = "Leeds United", away: str = "Fulham", *, start: int | None = KICK_OFF, sport: str = "football"
) -> Event:
    return Event(
        id=EventId(key),
        sport=sport,
        competition=Competition("c", "C"),
        name=f"{home} v {away}",
        participants=(home, away),
        start_ms=start,
    )


def a_matcher(**settings: Any) -> Matcher:
    return Matcher(MatchingSettings(**settings))


def test_an_event_keeps_its_first_id() -> None:
    matcher = a_matcher()
    assert "b.1" == matcher.place(a_match("b.1")).event
    placement = matcher.place(a_match("p.9", "Leeds", "Fulham FC"))
    assert ("b.1", False, "names") == (placement.event, placement.swapped, placement.basis)
    assert "b.1" == matcher.place(a_match("p.9", "Somebody", "Else")).event, "a decision stands"


def test_home_and_away_turned_round_are_the_same_match() -> None:
    matcher = a_matcher()
    matcher.place(a_match("b.1"))
    placement = matcher.place(a_match("p.9", "Fulham", "Leeds"))
    assert ("b.1", True) == (placement.event, placement.swapped)


@pytest.mark.parametrize(
    "other",
    [
        a_match("p.9", sport="rugby_league"),
        a_match("p.9", start=KICK_OFF + 181 * MINUTE),
        a_match("p.9", "Leeds United Women", "Fulham Women"),
        a_match("b.2"),
    ],
    ids=["another sport", "another time", "another side of the club", "the same feed"],
)
def test_what_can_not_be_the_same_is_not(other: Event) -> None:
    matcher = a_matcher()
    matcher.place(a_match("b.1"))
    assert other.id == matcher.place(other).event
    assert [] == matcher.doubts


def test_a_doubtful_pair_is_listed_and_not_merged() -> None:
    matcher = a_matcher()
    matcher.place(a_match("b.1"))
    doubtful = a_match("p.9", start=KICK_OFF + 150 * MINUTE)
    assert "p.9" == matcher.place(doubtful).event
    assert [("p.9", "b.1")] == [(doubt.event.id, doubt.candidate.id) for doubt in matcher.doubts]
    matcher.forget(EventId("b.1"))
    assert [] == matcher.doubts


def test_two_candidates_that_are_as_likely_are_a_doubt() -> None:
    """A doubleheader: the same sides twice on one evening."""
    matcher = a_matcher()
    matcher.place(a_match("b.1", start=KICK_OFF))
    matcher.place(a_match("b.2", start=KICK_OFF + 30 * MINUTE))
    assert "p.9" == matcher.place(a_match("p.9", start=KICK_OFF + 15 * MINUTE)).event
    assert ["the next is as likely"] == [doubt.reason for doubt in matcher.doubts]


def test_the_table_settles_what_names_can_not() -> None:
    matcher = a_matcher(same=(("p.9", "b.1"),), apart=(("p.8", "b.2"),))
    matcher.place(a_match("b.1"))
    matcher.place(a_match("b.2", "Derby", "Stoke"))
    placement = matcher.place(a_match("p.9", "Wholly", "Other"))
    assert ("b.1", "table") == (placement.event, placement.basis)
    assert "p.8" == matcher.place(a_match("p.8", "Derby", "Stoke")).event
    assert [] == matcher.doubts


@pytest.mark.parametrize("order", list(permutations(("b.1", "p.9", "o.7"))))
def test_pairs_of_the_table_that_share_an_event_are_one_in_whatever_order_they_come(order: tuple[str, ...]) -> None:
    matcher = a_matcher(same=(("b.1", "p.9"), ("b.1", "o.7")))
    sides = {"b.1": ("Ajax", "Feyenoord"), "p.9": ("Wholly", "Other"), "o.7": ("Quite", "Unlike")}
    assert {order[0]} == {matcher.place(a_match(event, *sides[event])).event for event in order}


def test_an_event_of_the_table_is_still_found_by_name_by_a_feed_that_the_table_does_not_name() -> None:
    matcher = a_matcher(same=(("b.1", "p.9"),))
    matcher.place(a_match("b.1"))
    assert "b.1" == matcher.place(a_match("o.7")).event
    assert "p.8" == matcher.place(a_match("p.8")).event, "the table says who it is at that feed"


def test_an_event_that_becomes_known_better_is_looked_at_again() -> None:
    matcher = a_matcher()
    matcher.place(a_match("b.1"))
    assert "p.9" == matcher.place(a_match("p.9", "TBD", "TBD")).event
    assert "b.1" == matcher.place(a_match("p.9")).event


def test_an_event_that_is_gone_leaves_nothing_behind() -> None:
    matcher = a_matcher()
    matcher.place(a_match("b.1"))
    matcher.place(a_match("p.9"))
    matcher.forget(EventId("b.1"))
    assert matcher.placement(EventId("p.9")) is None
    assert "p.9" == matcher.place(a_match("p.9")).event
    assert "p.9" == matcher.place(a_match("b.1")).event


@given(st.permutations(["b.1", "p.9", "q.5"]))
def test_three_feeds_are_one_event_in_any_order(order: list[str]) -> None:
    matcher = a_matcher()
    placed = {matcher.place(a_match(key)).event for key in order}
    assert {order[0]} == placed


def test_doubt_may_not_begin_above_certainty() -> None:
    with pytest.raises(ValueError, match="may not be above accept"):
        MatchingSettings(doubt=0.9, accept=0.8)
