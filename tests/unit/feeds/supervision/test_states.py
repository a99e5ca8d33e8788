"""The state machine of feeds: its table, and the diagram made from it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

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


def test_a_feed_that_keeps_failing_is_one_line_at_each_end() -> None:
    now_s = 0.0
    status = FeedStatus("src", lambda: 0, lambda: now_s)
    with capture_logs() as logged:
        for trigger in (Trigger.CONNECT, Trigger.OPENED, Trigger.RECOVERED):
            status.apply(trigger, "test")
        for _ in range(5):
            status.apply(Trigger.LOST, "HTTP 401")
            status.note_failure("refused", "HTTP 401")
            status.apply(Trigger.CONNECT, "connecting")
            status.apply(Trigger.OPENED, "connected")
            status.apply(Trigger.WENT_STALE, "no answer")
            status.note_failure("stale", "no answer")
            status.apply(Trigger.CONNECT, "connecting")
            status.apply(Trigger.OPENED, "connected")
            now_s += 10
        status.apply(Trigger.RECOVERED, "image complete")
    lines = [line for line in logged if line["log_level"] != "debug"]
    assert ["connecting", "recovering", "live"] == [line["state"] for line in lines[:3]]
    assert [("feed unavailable", "refused"), ("feed unavailable", "stale")] == [
        (line["event"], line["cause"]) for line in lines[3:5]
    ]
    assert [("feed available again", 50.0, 10)] == [(line["event"], line["after_s"], line["failures"]) for line in lines[5:]]


def test_the_diagram_in_the_docs_is_the_table() -> None:
    docs = Path(__file__).parents[4] / "docs" / "supervision.md"
    assert diagram() in docs.read_text(encoding="utf-8")
