"""The state machine of the dispatcher: its table, and the diagram drawn from it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.gateway.hub.states import (
    AT_REST,
    INTERRUPTIBLE,
    TRANSITIONS,
    WRITING,
    DispatchMachine,
    DispatchState,
    IllegalTransition,
    Trigger,
    diagram,
)


@given(st.lists(st.sampled_from(Trigger), max_size=40))
def test_every_other_transition_is_an_error_and_changes_nothing(walk: list[Trigger]) -> None:
    machine = DispatchMachine()
    for trigger in walk:
        before = machine.state
        if (before, trigger) in TRANSITIONS:
            machine.move(trigger)
            assert TRANSITIONS[before, trigger] is machine.state
        else:
            with pytest.raises(IllegalTransition) as error:
                machine.move(trigger)
            assert (before, trigger) == (error.value.state, error.value.trigger)
            assert before is machine.state


def test_every_state_is_reached_and_leads_back_to_idle() -> None:
    def reached_from(start: DispatchState) -> set[DispatchState]:
        reached, new = set[DispatchState](), {start}
        while new:
            reached |= new
            new = {to for (state, _), to in TRANSITIONS.items() if state in new} - reached
        return reached

    assert set(DispatchState) == reached_from(DispatchState.IDLE)
    for state in DispatchState:
        assert DispatchState.IDLE in reached_from(state)


def test_a_suspension_waits_for_nothing_but_suspensions_and_encoding() -> None:
    waits = {DispatchState.SUSPENDING, DispatchState.SUSPENSIONS_PENDING, DispatchState.ENCODING, DispatchState.INTERRUPTED}
    assert set(DispatchState) - waits == INTERRUPTIBLE


def test_frames_are_written_only_after_they_were_encoded() -> None:
    encoders = {state for (state, _), to in TRANSITIONS.items() if to in WRITING}
    assert {DispatchState.ENCODING, DispatchState.INTERRUPTED} == encoders


def test_a_flush_begins_only_at_rest() -> None:
    assert {state for state, trigger in TRANSITIONS if trigger is Trigger.FLUSH} == AT_REST


def test_the_diagram_in_the_docs_is_the_table() -> None:
    docs = Path(__file__).parents[4] / "docs" / "architecture" / "dispatcher.md"
    start, end = "<!-- diagram: python -m oddsengine.gateway.hub.states -->\n", "\n<!-- end of diagram -->"
    _, _, rest = docs.read_text(encoding="utf-8").partition(start)
    assert f"```mermaid\n{diagram()}\n```" == rest.partition(end)[0]
