"""Laws of matching in random stories: events that are described, renamed, moved, delisted and forgotten in any order."""

from __future__ import annotations

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId
from oddsengine.sourcing.matching.compare import compare, profile
from oddsengine.sourcing.matching.matcher import Matcher, MatchingSettings, feed_of
from oddsengine.sourcing.matching.names import NameNormaliser

KICK_OFF = 1_795_532_400_000
MINUTE = 60_000
SIDES: Final = (
    ("Leeds", "Fulham"),
    ("Leeds United", "Fulham FC"),
    ("Fulham", "Leeds"),
    ("Leeds (W)", "Fulham (W)"),
    ("Burnley", "Norwich"),
    ("River Plate", "Nacional"),
    ("River Plate Montevideo", "Nacional"),
    ("Спартак", "Зенит"),
    ("Spartak Moscow", "Zenit St Petersburg"),
    ("TBD", "TBD"),
)
EVENTS = st.builds(
    lambda key, sides, minutes, competition: Event(
        id=EventId(key),
        sport="football",
        competition=Competition("c", competition),
        name=" v ".join(sides),
        participants=sides,
        start_ms=KICK_OFF + minutes * MINUTE,
    ),
    st.sampled_from(["b.1", "b.2", "p.1", "p.2", "o.1"]),
    st.sampled_from(SIDES),
    st.sampled_from([0, 10, 70, 200]),
    st.sampled_from(["", "Premier League", "FA Women's Cup"]),
)
STEPS = st.lists(st.one_of(EVENTS, st.tuples(st.sampled_from(["b.1", "b.2", "p.1", "p.2", "o.1"]), st.booleans())), max_size=14)


@given(STEPS)
def test_whatever_happens_no_group_contradicts_itself(steps: list[Event | tuple[str, bool]]) -> None:
    settings, names = MatchingSettings(), NameNormaliser()
    matcher = Matcher(settings)
    described: dict[EventId, Event] = {}
    listed: dict[EventId, bool] = {}
    for step in steps:
        if isinstance(step, Event):
            matcher.update(step)
            described[step.id] = step
            listed.setdefault(step.id, True)
        elif EventId(step[0]) in described:
            matcher.set_listed(EventId(step[0]), listed=step[1])
            listed[EventId(step[0])] = step[1]
        groups: dict[EventId, set[EventId]] = {}
        for event in described:
            groups.setdefault(matcher.placement_of(event).event, set()).add(event)
        for first, group in groups.items():
            assert set(matcher.members(first)) == group
            feeds = [feed_of(event) for event in group if listed[event]]
            assert len(feeds) == len(set(feeds)), "a feed lists a match once"
            for one in group:
                for other in group:
                    if feed_of(one) != feed_of(other):
                        pair = compare(profile(described[one], names), profile(described[other], names), settings)
                        assert not pair.vetoed, (described[one], described[other])


@given(STEPS)
def test_every_match_rests_on_a_pair_that_is_a_match_now(steps: list[Event | tuple[str, bool]]) -> None:
    settings, names = MatchingSettings(), NameNormaliser()
    matcher = Matcher(settings)
    described: dict[EventId, Event] = {}
    for step in steps:
        if isinstance(step, Event):
            matcher.update(step)
            described[step.id] = step
    profiles = {event: profile(description, names) for event, description in described.items()}
    for event, own in profiles.items():
        others = set(matcher.members(matcher.placement_of(event).event)) - {event}
        decisions = {compare(own, profiles[other], settings).decision for other in others}
        assert not others or "match" in decisions
