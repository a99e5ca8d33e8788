"""Results and what a bet is worth: the worked examples of docs/protocol.md."""

from __future__ import annotations

import pytest

from oddsengine.domain.results import HALF_LOST, HALF_WON, LOST, VOID, WON, SelectionResult, dead_heat, result_of_status


def worth(result: SelectionResult, odds: float, stake: float) -> float:
    """What a stake is worth after the result, by the formula in docs/protocol.md."""
    assert result.void_factor is not None
    assert result.dead_heat_factor is not None
    win = odds * result.dead_heat_factor if result.outcome in {"winner", "placed"} else 0.0
    return stake * (result.void_factor + (1 - result.void_factor) * win)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (WON, 30.0),
        (LOST, 0.0),
        (VOID, 10.0),
        (HALF_WON, 20.0),
        (HALF_LOST, 5.0),
        (dead_heat(2, 1), 15.0),
        (dead_heat(3, 1), 10.0),
    ],
)
def test_a_stake_of_10_at_odds_of_3_is_worth(result: SelectionResult, expected: float) -> None:
    assert expected == pytest.approx(worth(result, 3.0, 10.0))


def test_as_many_winners_as_places_are_no_dead_heat() -> None:
    assert [WON, WON, WON] == [dead_heat(1, 1), dead_heat(3, 3), dead_heat(1, 0)]


def test_which_of_several_places_were_tied_for_is_not_known() -> None:
    assert SelectionResult("winner", 0.0, None) == dead_heat(4, 3)


def test_a_status_with_a_result_says_all_of_it() -> None:
    assert [WON, LOST, VOID, None, None] == [
        result_of_status(status) for status in ("winner", "loser", "void", "active", "removed")
    ]
