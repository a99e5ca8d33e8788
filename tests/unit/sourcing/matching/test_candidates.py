"""Which events are compared at all."""

from __future__ import annotations

from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId
from oddsengine.sourcing.matching.candidates import CandidateIndex, keys_of, may_be_alike
from oddsengine.sourcing.matching.compare import profile
from oddsengine.sourcing.matching.names import NameNormaliser

NAMES = NameNormaliser()
HOUR = 3_600_000


def an_event(key: str, home: str, away: str, start_ms: int | None = 0) -> Event:
    return Event(
        id=EventId(key),
        sport="football",
        competition=Competition("c", ""),
        name=key,
        participants=(home, away),
        start_ms=start_ms,
    )


def found(index: CandidateIndex, event: Event) -> set[str]:
    return set(index.find(event, keys_of(profile(event, NAMES)), 3 * HOUR))


def test_events_are_found_by_the_words_of_their_names_within_the_window() -> None:
    index = CandidateIndex()
    event = an_event("b.1", "Leeds United", "Fulham")
    index.add(event, keys_of(profile(event, NAMES)))
    assert {"b.1"} == found(index, an_event("p.9", "Leeds", "Fulham FC", 2 * HOUR))
    assert {"b.1"} == found(index, an_event("p.9", "Leeds", "Fulham FC", None))
    assert set() == found(index, an_event("p.9", "Leeds", "Fulham FC", 5 * HOUR))
    assert set() == found(index, an_event("p.9", "Burnley", "Norwich"))
    index.remove(event, keys_of(profile(event, NAMES)))
    assert set() == found(index, event)


def test_two_events_are_compared_where_each_side_shares_a_word_or_one_is_the_same() -> None:
    one = profile(an_event("b.1", "Leeds", "Fulham"), NAMES)
    for sides, expected in (
        (("Leeds Utd", "Fulham FC"), True),
        (("Fulham", "Leeds"), True),
        (("Fulham", "Norwich"), True),
        (("Fullerton", "Norwich"), False),
        (("Norwich", "Burnley"), False),
    ):
        other = profile(an_event("p.9", *sides), NAMES)
        assert expected == may_be_alike(one, keys_of(one), other, keys_of(other)), sides
