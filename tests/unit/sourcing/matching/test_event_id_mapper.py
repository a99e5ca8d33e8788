"""Ids mapped to those of the first feed, again when a match is found later."""

from __future__ import annotations

from typing import Any

import msgspec

from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId
from oddsengine.sourcing.matching.event_id_mapper import EventIdMapper
from oddsengine.sourcing.matching.matcher import Matcher, MatchingSettings
from tests.support.builders import a_definition


def a_match(key: str, home: str = "Leeds", away: str = "Fulham") -> Event:
    return Event(
        id=EventId(key),
        sport="football",
        competition=Competition("c", "C"),
        name=f"{home} v {away}",
        participants=(home, away),
        start_ms=0,
    )


def a_mapper() -> EventIdMapper:
    return EventIdMapper(Matcher(MatchingSettings()))


def test_a_matched_event_and_its_markets_get_the_first_id() -> None:
    mapper = a_mapper()
    first = mapper.map_event(a_match("b.1"))
    assert ("b.1", []) == (first.event.id, first.moves)
    event, moves = mapper.map_event(a_match("p.9"))
    assert ("b.1", [("p.9", "p.9")]) == (event.id, moves)
    assert [] == mapper.map_event(a_match("p.9")).moves, "it is where it was"
    assert "b.1/match_odds" == mapper.map_market("p", "77", a_definition("p.9/match_odds")).id


def test_lines_of_a_volleyball_match_meet_only_where_both_feeds_say_what_they_count() -> None:
    mapper = a_mapper()
    for key in ("b.1", "p.9"):
        mapper.map_event(msgspec.structs.replace(a_match(key), sport="volleyball"))

    def mapped(market: str, **fields: Any) -> str:
        return mapper.map_market(market[0], market, a_definition(market, type="asian_handicap", line=-1.5, **fields)).id

    assert "b.1/asian_handicap/ft/-1.5" == mapped("b.1/asian_handicap/ft/-1.5", period="ft")
    assert "b.1/asian_handicap_of_p/ft/-1.5" == mapped("p.9/asian_handicap/ft/-1.5", period="ft")
    assert "b.1/asian_handicap_sets/ft/-1.5" == mapped("p.9/asian_handicap_sets/ft/-1.5", period="ft", unit="sets")
    assert "b.1/asian_handicap/set2/-1.5" == mapped("p.9/asian_handicap/set2/-1.5", period="set2"), "points"


def test_markets_defined_before_the_match_are_mapped_again() -> None:
    mapper = a_mapper()
    mapper.map_event(a_match("b.1"))
    mapper.map_event(a_match("p.9", "TBD", "TBD"))
    assert "p.9/match_odds" == mapper.map_market("p", "77", a_definition("p.9/match_odds")).id
    assert [("p.9", "p.9")] == mapper.map_event(a_match("p.9")).moves
    assert [("p", "77", "b.1/match_odds")] == [
        (source, source_id, definition.id) for source, source_id, definition in mapper.mapped_markets(EventId("p.9"))
    ]


def test_a_market_of_an_event_not_described_yet_keeps_its_ids() -> None:
    mapper = a_mapper()
    definition = a_definition("p.9/match_odds")
    assert definition is mapper.map_market("p", "77", definition)
    assert [] == mapper.mapped_markets(EventId("p.9"))


def test_removed_markets_and_events_are_not_mapped_again() -> None:
    mapper = a_mapper()
    mapper.map_event(a_match("b.1"))
    mapper.map_event(a_match("p.9"))
    for source_id in ("77", "78"):
        mapper.map_market("p", source_id, a_definition(f"p.9/total/ft/{source_id}", ("over", "under"), type="total"))
    mapper.remove_market("p", "77", EventId("b.1"))
    assert ["78"] == [source_id for _, source_id, _ in mapper.mapped_markets(EventId("p.9"))]
    mapper.forget_event(EventId("b.1"))
    assert [] == mapper.mapped_markets(EventId("p.9"))
    assert mapper.matcher.placement(EventId("p.9")) is None
