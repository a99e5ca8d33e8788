"""The state machine of every feed: a table, and the picture that is drawn from it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from feeds.supervision.states import TRANSITIONS, FeedState, FeedStatus, Trigger, diagram

WALK = st.lists(st.sampled_from(Trigger), max_size=40)


def test_the_only_ways_to_live_are_a_complete_recovery_and_catching_up() -> None:
    ways = {(state, what) for (state, what), to in TRANSITIONS.items() if to is FeedState.LIVE}
    assert {(FeedState.RECOVERING, Trigger.RECOVERED), (FeedState.LAGGING, Trigger.CAUGHT_UP)} == ways


def test_whatever_is_connected_can_be_lost() -> None:
    for state in set(FeedState) - {FeedState.DOWN, FeedState.STALE}:
        assert TRANSITIONS[state, Trigger.LOST] is FeedState.DOWN


@given(WALK)
def test_what_the_table_does_not_name_changes_nothing_and_every_change_is_kept(walk: list[Trigger]) -> None:
    clock = iter(range(1_000_000))
    status = FeedStatus("src", lambda: next(clock))
    moves = 0
    for what in walk:
        before = status.state
        moved = status.move(what, "why")
        assert moved == ((before, what) in TRANSITIONS)
        assert status.state is TRANSITIONS.get((before, what), before)
        moves += moved
    assert min(moves, 50) == len(status.changes)


def test_the_diagram_in_the_docs_is_the_table() -> None:
    docs = Path(__file__).parents[4] / "docs" / "supervision.md"
    assert diagram() in docs.read_text(encoding="utf-8")
