"""Markets on a football score, settled naively: an oracle that shares nothing with the engine's own reading of them.

Stakes are settled one by one, score by score, on a grid far larger than any line; whether bets can be beaten is the primal
program, the most that some stakes win at least.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import linprog

from oddsengine.domain.feed_updates import MarketDefinition, SelectionDefinition
from oddsengine.domain.ids import EventId, MarketId, SelectionKey

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Goals a side in the oracle's grid.
GOALS = 16
SCORES = [(home, away) for home in range(GOALS) for away in range(GOALS)]
LISTED = [(home, away) for home in range(3) for away in range(3)]


class Kind(NamedTuple):
    """A market type with its line."""

    type: str
    line: float | None
    keys: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.type if self.line is None else f"{self.type}/ft/{self.line:g}"


KINDS = (
    Kind("match_odds", None, ("home", "draw", "away")),
    Kind("double_chance", None, ("home_draw", "home_away", "draw_away")),
    Kind("draw_no_bet", None, ("home", "away")),
    Kind("both_to_score", None, ("yes", "no")),
    Kind("odd_even", None, ("odd", "even")),
    Kind(
        "correct_score",
        None,
        (*(f"{home}-{away}" for home, away in LISTED), "any_other_home", "any_other_draw", "any_other_away"),
    ),
    *(Kind("total", line, ("over", "under")) for line in (0.5, 1.0, 1.5, 2.25, 2.5, 2.75, 3.5)),
    *(Kind("asian_handicap", line, ("home", "away")) for line in (-1.5, -0.75, -0.5, -0.25, 0.0, 0.5, 1.0)),
    *(Kind("handicap", line, ("home", "draw", "away")) for line in (-1.0, 1.0)),
    Kind("home_total", 1.5, ("over", "under")),
    Kind("away_total", 0.5, ("over", "under")),
    Kind("home_no_bet", None, ("draw", "away")),
    Kind("away_no_bet", None, ("home", "draw")),
    Kind("home_to_score", None, ("yes", "no")),
    Kind("away_win_to_nil", None, ("yes", "no")),
    Kind("home_odd_even", None, ("odd", "even")),
    Kind("away_odd_even", None, ("odd", "even")),
    Kind("match_odds_and_total", 2.5, ("home_under", "home_over", "draw_under", "draw_over", "away_under", "away_over")),
    Kind("match_odds_and_both_to_score", None, ("home_yes", "home_no", "draw_yes", "draw_no", "away_yes", "away_no")),
    Kind("total_and_both_to_score", 3.5, ("over_yes", "over_no", "under_yes", "under_no")),
)


def paid(kind: Kind, key: str, odds: float, score: tuple[int, int]) -> float:  # noqa: PLR0911 - a table of payments
    """Return what comes back of a stake of 1."""
    home, away = score
    line = 0.0 if kind.line is None else kind.line
    result = "home" if home > away else "away" if away > home else "draw"
    if kind.type == "match_odds":
        return odds if result == key else 0.0
    if kind.type == "double_chance":
        return odds if result in key.split("_") else 0.0
    if kind.type in {"home_no_bet", "away_no_bet"}:
        return 1.0 if result == kind.type.partition("_")[0] else odds if result == key else 0.0
    if kind.type.startswith("match_odds_and_") or kind.type == "total_and_both_to_score":
        both = "yes" if home >= 1 and away >= 1 else "no"
        facts = {result, both, "over" if home + away > line else "under"}
        return odds if set(key.split("_")) <= facts else 0.0
    if kind.type in {"home_to_score", "away_win_to_nil"}:
        happened = home >= 1 if kind.type == "home_to_score" else result == "away" and home == 0
        return odds if happened == (key == "yes") else 0.0
    if kind.type in {"home_odd_even", "away_odd_even"}:
        return odds if ("even", "odd")[(home if kind.type.startswith("home") else away) % 2] == key else 0.0
    if kind.type == "draw_no_bet":
        return 1.0 if result == "draw" else odds if result == key else 0.0
    if kind.type == "both_to_score":
        return odds if (home >= 1 and away >= 1) == (key == "yes") else 0.0
    if kind.type == "odd_even":
        return odds if ("even", "odd")[(home + away) % 2] == key else 0.0
    if kind.type == "correct_score":
        return odds if key == (f"{home}-{away}" if score in LISTED else f"any_other_{result}") else 0.0
    if kind.type == "handicap":
        margin = home + line - away
        return odds if key == ("home" if margin > 0 else "away" if margin < 0 else "draw") else 0.0
    goals = {"total": home + away, "home_total": home, "away_total": away, "asian_handicap": home - away}[kind.type]
    ahead = {"over": goals - line, "under": line - goals, "home": goals + line, "away": -goals - line}[key]
    if ahead == 0:
        return 1.0
    if ahead == 0.25:
        return 1 + (odds - 1) / 2
    if ahead == -0.25:
        return 0.5
    return odds if ahead > 0 else 0.0


def definition(kind: Kind, event: str = "e1") -> MarketDefinition:
    return MarketDefinition(
        id=MarketId(f"{event}/{kind.name}"),
        event=EventId(event),
        type=kind.type,  # type: ignore[arg-type]
        period="ft",
        line=kind.line,
        status="open",
        selections=tuple(SelectionDefinition(f"s-{key}", SelectionKey(key), key, "active") for key in kind.keys),
    )


def best_profit(odds: dict[tuple[Kind, str], float], least: tuple[int, int] = (0, 0)) -> float:
    """Return the most that stakes of 1 together win at least, whatever the score, if so many goals have been scored."""
    return _guaranteed(_nets(odds, least))


def best_profit_of_halves(bets: dict[tuple[str, str, str], float]) -> float:
    """Return the most that stakes of 1 together win at least, whatever both results.

    Args:
        bets: decimal odds by type, period and selection, of `match_odds`, `draw_no_bet` and `half_time_full_time`.
    """
    pairs = [(half, full) for half in ("home", "draw", "away") for full in ("home", "draw", "away")]
    nets = [[_paid_of_halves(*bet, odds, *pair) - 1 for pair in pairs] for bet, odds in bets.items()]
    return _guaranteed(np.array(nets))


def _paid_of_halves(kind: str, period: str, key: str, odds: float, half: str, full: str) -> float:
    if kind == "half_time_full_time":
        return odds if key == f"{half}_{full}" else 0.0
    result = half if period == "h1" else full
    if kind == "draw_no_bet" and result == "draw":
        return 1.0
    return odds if key == result else 0.0


def _guaranteed(nets: NDArray[np.float64]) -> float:
    bets, scores = nets.shape
    return _maximum(np.append(np.zeros(bets), 1.0), np.hstack((-nets.T, np.ones((scores, 1)))), bets)


def best_free_roll(odds: dict[tuple[Kind, str], float], least: tuple[int, int] = (0, 0)) -> float:
    """Return the most that stakes of 1 together win over all scores, each counted once, if they lose at none."""
    nets = _nets(odds, least)
    return _maximum(nets.sum(axis=1), -nets.T, len(nets))


def _nets(odds: dict[tuple[Kind, str], float], least: tuple[int, int]) -> NDArray[np.float64]:
    scores = [score for score in SCORES if score[0] >= least[0] and score[1] >= least[1]]
    return np.array([[paid(kind, key, price, score) - 1 for score in scores] for (kind, key), price in odds.items()])


def _maximum(gains: NDArray[np.float64], at_most_zero: NDArray[np.float64], bets: int) -> float:
    result = linprog(
        -gains,
        A_ub=at_most_zero,
        b_ub=np.zeros(len(at_most_zero)),
        A_eq=np.array([[1.0] * bets + [0.0] * (len(gains) - bets)]),
        b_eq=np.ones(1),
        bounds=[(0, None)] * bets + [(None, None)] * (len(gains) - bets),
        options={"primal_feasibility_tolerance": 1e-10},
    )
    assert result.status in {0, 2}
    return 0.0 if result.status == 2 else -float(result.fun)


def fair_odds(kind: Kind, key: str, probabilities: dict[tuple[int, int], float]) -> float | None:
    """Return the odds without an edge, None where the selection can't win."""
    won = sum(chance * (paid(kind, key, 2.0, score) - paid(kind, key, 1.0, score)) for score, chance in probabilities.items())
    lost_at_one = sum(chance * (1 - paid(kind, key, 1.0, score)) for score, chance in probabilities.items())
    return None if won < 1e-6 else 1 + lost_at_one / won
