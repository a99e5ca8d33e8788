"""Laws of the guard on the results of both halves, held against an oracle that settles every bet by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.pricing.guards.score_grid import ScoreGuard
from oddsengine.pricing.guards.score_grid.program import TOLERANCE
from tests.oracles.score_bets import best_profit_of_halves
from tests.support.builders import a_definition, an_event
from tests.support.laws.examples import examples

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = ("home", "draw", "away")
PAIRS = [(half, full) for half in RESULTS for full in RESULTS]
EVENT = an_event()
#: type, period, selections
MARKETS = [
    ("half_time_full_time", "ft", tuple(f"{half}_{full}" for half, full in PAIRS)),
    ("match_odds", "h1", RESULTS),
    ("match_odds", "ft", RESULTS),
    ("draw_no_bet", "h1", ("home", "away")),
    ("draw_no_bet", "ft", ("home", "away")),
]
WEIGHTS = st.lists(st.floats(0.05, 1.0), min_size=9, max_size=9)


class Board:
    """A market with given prices."""

    is_open = False

    def __init__(self, kind: str, period: str, odds: dict[str, float]) -> None:
        self.definition = a_definition(f"e1/{kind}/{period}", tuple(odds), type=kind, period=period)
        self.odds = odds

    def prices(self, key: str) -> tuple[int | None, ...]:
        return (int(self.odds[key] * 1000),)


def fair_odds(kind: str, period: str, key: str, weights: list[float]) -> float:
    def chance(holds: Callable[[str, str], bool]) -> float:
        return sum(weight for weight, pair in zip(weights, PAIRS, strict=True) if holds(*pair)) / sum(weights)

    if kind == "half_time_full_time":
        return 1 / chance(lambda half, full: key == f"{half}_{full}")
    won = chance(lambda half, full: key == (half if period == "h1" else full))
    if kind == "match_odds":
        return 1 / won
    return (1 - chance(lambda half, full: (half if period == "h1" else full) == "draw")) / won


def checked(boards: list[Board]) -> ScoreGuard:
    guard = ScoreGuard(1000.0)
    for board in boards:
        guard.review(board, EVENT, ())
    guard.check(0)
    return guard


@examples(25)
@given(WEIGHTS, st.floats(0.001, 0.2), st.permutations(MARKETS))
def test_prices_of_one_distribution_with_a_margin_are_open(
    weights: list[float], margin: float, markets: list[tuple[str, str, tuple[str, ...]]]
) -> None:
    boards = [
        Board(kind, period, {key: fair_odds(kind, period, key, weights) * (1 - margin) for key in keys})
        for kind, period, keys in markets
    ]
    assert not checked(boards).refused


@examples(25)
@given(st.lists(WEIGHTS, min_size=5, max_size=5), st.lists(st.floats(0.0, 0.3), min_size=5, max_size=5))
def test_what_is_open_can_not_be_beaten(weights: list[list[float]], margins: list[float]) -> None:
    boards = [
        Board(kind, period, {key: fair_odds(kind, period, key, each) * (1 - margin) for key in keys})
        for (kind, period, keys), each, margin in zip(MARKETS, weights, margins, strict=True)
    ]
    guard = checked(boards)
    bets = {
        (kind, period, key): board.prices(key)[0] / 1000  # type: ignore[operator]
        for (kind, period, keys), board in zip(MARKETS, boards, strict=True)
        if board.definition.id not in guard.refused
        for key in keys
    }
    kinds = {kind for kind, _, _ in bets}
    if len(kinds) > 1:
        assert best_profit_of_halves(bets) <= 3 * TOLERANCE
