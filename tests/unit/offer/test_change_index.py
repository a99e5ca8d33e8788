"""The index of events by their last change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.changes import EventDescription, EventProgress, EventRecord, MarketRecord
from oddsengine.domain.events import Competition
from oddsengine.domain.ids import EventId
from oddsengine.offer.change_index import ALL, ChangeIndex, EventEntry

SPORTS = {"e1": "football", "e2": "football", "e3": "tennis", "e4": "tennis"}
COMPETITIONS = {"e1": "cup", "e2": "league", "e3": "open", "e4": "open"}
SCOPES = [ALL, "sport:football", "sport:tennis", "competition:cup", "competition:open", "competition:unknown"]

#: (event, whether it is touched or removed, gap to the position of the step before)
STEPS = st.lists(st.tuples(st.sampled_from(sorted(SPORTS)), st.booleans(), st.integers(0, 2)), max_size=30)


def a_description(event: str, competition: str | None = None) -> EventDescription:
    competition = competition or COMPETITIONS[event]
    return EventDescription(SPORTS[event], Competition(competition, competition.title()), event, (), None)


def an_entry(event: str) -> EventEntry[MarketRecord]:
    progress = EventProgress(in_play=False, score=None, clock=None)
    return EventEntry(EventRecord(EventId(event), a_description(event), 0, progress, 0))


def ids(index: ChangeIndex[MarketRecord], scope: str, seq: int) -> list[str]:
    return [entry.record.id for entry in index.since(scope, seq)]


@given(STEPS)
def test_since_returns_exactly_the_events_of_the_scope_that_changed(steps: list[tuple[str, bool, int]]) -> None:
    index: ChangeIndex[MarketRecord] = ChangeIndex()
    entries = {event: an_entry(event) for event in SPORTS}
    changed: dict[str, int] = {}
    seq = 1
    for event, is_touched, gap in steps:
        seq += gap
        if is_touched:
            if event not in changed:
                index.add(entries[event])
            index.touch(entries[event], seq)
            changed[event] = seq
        else:
            index.discard(entries[event])
            changed.pop(event, None)
            entries[event] = an_entry(event)
    for position in range(seq + 1):
        for scope in SCOPES:
            expected = {
                event
                for event, at in changed.items()
                if at > position and scope in (ALL, f"sport:{SPORTS[event]}", f"competition:{COMPETITIONS[event]}")
            }
            found = ids(index, scope, position)
            assert expected == set(found), (position, scope)
            assert len(expected) == len(found)


@given(st.lists(st.tuples(st.sampled_from(sorted(SPORTS)), st.integers(1, 9)), max_size=10))
def test_an_older_batch_never_makes_a_loaded_event_look_older(batches: list[tuple[str, int]]) -> None:
    """Batches up to the newest position of a snapshot may still be applied after it."""
    entries = {event: an_entry(event) for event in SPORTS}
    for place, entry in enumerate(entries.values(), start=5):
        entry.touched = place
    index: ChangeIndex[MarketRecord] = ChangeIndex()
    index.load(entries.values())
    assert 8 == index.loaded_seq
    before = {event: entry.touched for event, entry in entries.items()}
    for event, seq in sorted(batches, key=lambda batch: batch[1]):
        index.touch(entries[event], seq)
        assert entries[event].touched == max(8, seq)
    assert all(entries[event].touched >= touched for event, touched in before.items())


def test_an_event_described_under_another_competition_is_found_there() -> None:
    index: ChangeIndex[MarketRecord] = ChangeIndex()
    entry = an_entry("e1")
    index.add(entry)
    index.touch(entry, 1)
    index.discard(entry)
    entry.describe(a_description("e1", "league"))
    index.add(entry)
    assert ["e1"] == ids(index, "competition:league", 0)
    assert [] == ids(index, "competition:cup", 0)
    assert ("event:e1", "sport:football", "competition:league") == entry.channels


def test_a_new_epoch_starts_without_changes() -> None:
    index: ChangeIndex[MarketRecord] = ChangeIndex()
    entry = an_entry("e1")
    index.add(entry)
    index.touch(entry, 5)
    index.reset_positions()
    assert (0, 0) == (index.newest, index.loaded_seq)
    assert [] == ids(index, ALL, 0)
    assert ["e1"] == ids(index, ALL, -1)
