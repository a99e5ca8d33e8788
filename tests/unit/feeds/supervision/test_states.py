"""The state machine of feeds: its table, and the diagram made from it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from feeds.supervision.states import TRANSITIONS, FeedState, FeedStatus, Trigger, diagram

TRIGGERS = st.lists(st.sampled_from(Trigger), max_size=40)


def test_only_a_complete_recovery_and_catching_up_lead_to_live() -> None:
    ways = {(state, trigger) for (state, trigger), to in TRANSITIONS.items() if to is FeedState.LIVE}
    assert {(FeedState.RECOVERING, Trigger.RECOVERED), (FeedState.LAGGING, Trigger.CAUGHT_UP)} == ways


def test_every_connected_state_can_lose_its_connection() -> None:
    for state in set(FeedState) - {FeedState.DOWN, FeedState.STALE}:
        assert TRANSITIONS[state, Trigger.LOST] is FeedState.DOWN


@given(TRIGGERS)
def test_triggers_outside_the_table_are_ignored_and_every_change_is_kept(triggers: list[Trigger]) -> None:
    clock = iter(range(1_000_000))
    status = FeedStatus("src", lambda: next(clock))
    changes = 0
    for trigger in triggers:
        before = status.state
        changed = status.apply(trigger, "why")
        assert changed == ((before, trigger) in TRANSITIONS)
        assert status.state is TRANSITIONS.get((before, trigger), before)
        changes += changed
    assert min(changes, 50) == len(status.changes)


def test_the_diagram_in_the_docs_is_the_table() -> None:
    docs = Path(__file__).parents[4] / "docs" / "supervision.md"
    assert diagram() in docs.read_text(encoding="utf-8")
