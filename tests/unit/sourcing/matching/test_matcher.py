"""Which events of different feeds are the same."""

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


def test_reversed_participants_are_the_same_match() -> None:
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
    ids=["another sport", "another time", "another team of the club", "the same feed"],
)
def test_events_that_cannot_be_the_same_are_not_merged(other: Event) -> None:
    matcher = a_matcher()
    matcher.place(a_match("b.1"))
    assert other.id == matcher.place(other).event
    assert [] == matcher.review_candidates


def test_an_uncertain_pair_is_listed_for_review_and_not_merged() -> None:
    matcher = a_matcher()
    matcher.place(a_match("b.1"))
    uncertain = a_match("p.9", start=KICK_OFF + 150 * MINUTE)
    assert "p.9" == matcher.place(uncertain).event
    assert [("p.9", "b.1")] == [(pair.event.id, pair.candidate.id) for pair in matcher.review_candidates]
    matcher.forget(EventId("b.1"))
    assert [] == matcher.review_candidates


def test_two_equally_likely_candidates_are_listed_for_review() -> None:
    """A doubleheader: the same teams twice in one evening."""
    matcher = a_matcher()
    matcher.place(a_match("b.1", start=KICK_OFF))
    matcher.place(a_match("b.2", start=KICK_OFF + 30 * MINUTE))
    assert "p.9" == matcher.place(a_match("p.9", start=KICK_OFF + 15 * MINUTE)).event
    assert ["the next is as likely"] == [pair.reason for pair in matcher.review_candidates]


def test_the_table_overrides_names() -> None:
    matcher = a_matcher(matches=(("p.9", "b.1"),), non_matches=(("p.8", "b.2"),))
    matcher.place(a_match("b.1"))
    matcher.place(a_match("b.2", "Derby", "Stoke"))
    placement = matcher.place(a_match("p.9", "Wholly", "Other"))
    assert ("b.1", "table") == (placement.event, placement.basis)
    assert "p.8" == matcher.place(a_match("p.8", "Derby", "Stoke")).event
    assert [] == matcher.review_candidates


@pytest.mark.parametrize("order", list(permutations(("b.1", "p.9", "o.7"))))
def test_table_pairs_that_share_an_event_are_the_same_event_in_any_order(order: tuple[str, ...]) -> None:
    matcher = a_matcher(matches=(("b.1", "p.9"), ("b.1", "o.7")))
    sides = {"b.1": ("Ajax", "Feyenoord"), "p.9": ("Wholly", "Other"), "o.7": ("Quite", "Unlike")}
    assert {order[0]} == {matcher.place(a_match(event, *sides[event])).event for event in order}


def test_an_event_of_the_table_is_matched_by_name_with_a_feed_that_is_not_in_the_table() -> None:
    matcher = a_matcher(matches=(("b.1", "p.9"),))
    matcher.place(a_match("b.1"))
    assert "b.1" == matcher.place(a_match("o.7")).event
    assert "p.8" == matcher.place(a_match("p.8")).event, "the table names its match at that feed"


def test_an_unmatched_event_is_placed_again_when_its_description_changes() -> None:
    matcher = a_matcher()
    matcher.place(a_match("b.1"))
    assert "p.9" == matcher.place(a_match("p.9", "TBD", "TBD")).event
    assert "b.1" == matcher.place(a_match("p.9")).event


def test_forgetting_an_event_removes_its_matches() -> None:
    matcher = a_matcher()
    matcher.place(a_match("b.1"))
    matcher.place(a_match("p.9"))
    matcher.forget(EventId("b.1"))
    assert matcher.placement(EventId("p.9")) is None
    assert "p.9" == matcher.place(a_match("p.9")).event
    assert "p.9" == matcher.place(a_match("b.1")).event


@given(st.permutations(["b.1", "p.9", "q.5"]))
def test_three_feeds_match_in_any_order(order: list[str]) -> None:
    matcher = a_matcher()
    placed = {matcher.place(a_match(key)).event for key in order}
    assert {order[0]} == placed


def test_the_review_threshold_is_not_above_the_merge_threshold() -> None:
    with pytest.raises(ValueError, match="must not be above merge_threshold"):
        MatchingSettings(review_threshold=0.9, merge_threshold=0.8)


def test_other_pairs_of_the_config_are_decided_at_once_and_a_persons_word_holds_against_them() -> None:
    matcher = a_matcher(matches=(("b.1", "p.9"),))
    matcher.place(a_match("b.1"))
    matcher.place(a_match("p.9", "Somebody", "Else"))
    assert "b.1" == matcher.placement_of(EventId("p.9")).event
    assert ["p.9"] == [move.event for move in matcher.use(MatchingSettings())]
    assert "p.9" == matcher.placement_of(EventId("p.9")).event
    assert [] == matcher.use(MatchingSettings()), "decided already"
    matcher.settle([("b.1", "p.9")], [])
    assert [] == matcher.use(MatchingSettings(non_matches=(("b.1", "p.9"),)))
    assert "b.1" == matcher.placement_of(EventId("p.9")).event
    assert ["p.9"] == [move.event for move in matcher.settle([], [])]
