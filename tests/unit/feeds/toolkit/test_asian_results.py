"""Results of Asian lines, compared with the settlement of every line at every margin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.toolkit.asian_results import asian_result
from oddsengine.domain.results import HALF_LOST, HALF_WON, LOST, VOID, WON, SelectionResult

if TYPE_CHECKING:
    from oddsengine.domain.taxonomy import SelectionStatus

LINES = [quarters / 4 for quarters in range(-14, 15)]


def settled(line: float, margin: int) -> SelectionResult:
    """The rule of the bet: a quarter line is two bets of half the stake, on the lines beside it."""
    if (line * 4) % 2:
        parts = [settled(line - 0.25, margin), settled(line + 0.25, margin)]
        if parts[0] == parts[1]:
            return parts[0]
        return HALF_WON if WON in parts else HALF_LOST
    reached = margin + line
    return WON if reached > 0 else LOST if reached < 0 else VOID


@given(margin=st.integers(-3, 3), pushed=st.sampled_from(["winner", "loser", "void", "removed"]))
def test_every_line_is_settled_whatever_the_provider_calls_a_returned_stake(margin: int, pushed: SelectionStatus) -> None:
    statuses: dict[float, SelectionStatus] = {}
    for line in LINES:
        result = settled(line, margin)
        statuses[line] = pushed if result == VOID else result.outcome or "active"
    for line in LINES[3:-3]:
        expected = settled(line, margin)
        found = asian_result(line, statuses)
        if expected in {HALF_WON, HALF_LOST} or (expected == VOID and pushed in {"winner", "loser"}):
            assert expected == found, line
        else:
            assert found is None, line


@pytest.mark.parametrize("status", ["winner", "loser"])
def test_a_quarter_line_alone_does_not_say_how_much_of_it_is_won(status: SelectionStatus) -> None:
    assert SelectionResult(status, None) == asian_result(-0.25, {-0.25: status})  # type: ignore[arg-type]
    assert asian_result(-0.25, {-0.25: "active"}) is None
    assert asian_result(-0.5, {-0.5: status}) is None
