"""The linear program of bets against scores, on a finite grid that represents all scores.

Loads numpy and HiGHS, which takes a third of a second: import it where it is needed, not at the head of a module.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from oddsengine.pricing.guards.score_grid.conditions import NO_GOALS
from oddsengine.pricing.guards.score_grid.halves import MIN_RESULTS
from oddsengine.pricing.guards.score_grid.solver import maximise

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from oddsengine.domain.events import Score
    from oddsengine.pricing.guards.score_grid.conditions import Condition

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

#: A smaller part of the stake is nothing: the solver is no more exact than that.
TOLERANCE: Final = 1e-6
#: How exactly stakes must never lose.
_MAX_LOSS: Final = 1e-9
#: Stakes smaller than this share of all are errors of the solver.
_MIN_STAKE: Final = 1e-7
#: The odds up to which a bet that can't win loses, in thousandths.
_NO_CEILING: Final = 10.0**12
#: How many results a half has.
_RESULTS: Final = 3
#: For mending: the most steps, the share of all probability that is spread over the scores, the average loss to reach, and the
#: largest change of a probability, as the logarithm of its factor.
_MAX_STEPS: Final = 60
_REVIVAL: Final = 1e-4
_REPAIRED_LOSS: Final = 0.01
_MAX_EXPONENT: Final = 3.0


class ScoreGrid(NamedTuple):
    """Scores that represent all: every score pays every condition as one of them does.

    `won` and `returned` are the shares of the stake that win and that come back, by condition and score. `marks` are numbers, in
    order, that tell the scores' ways of paying apart; empty where none do.
    """

    homes: Integers
    aways: Integers
    won: Floats
    returned: Floats
    marks: Floats


class Solution(NamedTuple):
    """The result of the linear programs, and what was verified of it.

    Attributes:
        probabilities: by score, under which every bet loses; None if there are none.
        stakes: by bet, of 1 together, which lose at no score and win at some; None if there are none.
        profit: what the stakes win at least.
        is_fair: whether neither exists: some bets lose nothing on average, but none of them can be relied on.

    Nothing is set where the solver failed.
    """

    probabilities: Floats | None = None
    stakes: Floats | None = None
    profit: float = 0.0
    is_fair: bool = False


def shares(condition: Condition, homes: Integers, aways: Integers) -> tuple[Floats, Floats]:
    """Return the shares of a stake on a condition that win and that are returned, by score."""
    won, back = _shares(condition, homes, aways)
    if condition.returned is None:
        return won, back
    is_returned, _ = _shares(condition.returned, homes, aways)
    return won * (1.0 - is_returned), np.maximum(back, is_returned)


def _shares(condition: Condition, homes: Integers, aways: Integers) -> tuple[Floats, Floats]:
    if condition.kind == "linear":
        value = condition.home * homes + condition.away * aways
        twice = condition.line * 2
        parts = (condition.line,) if twice == round(twice) else (condition.line - 0.25, condition.line + 0.25)
        won = sum((value + part > 0).astype(np.float64) for part in parts) / len(parts)
        returned = sum((value + part == 0).astype(np.float64) for part in parts) / len(parts)
        return np.asarray(won), np.asarray(returned)
    if condition.kind == "level":
        wins = condition.home * homes + condition.away * aways + condition.line == 0
    elif condition.kind == "both":
        wins = (homes > 0) & (aways > 0)
    elif condition.kind == "odd":
        wins = (condition.home * homes + condition.away * aways) % 2 == 1
    elif condition.kind == "score":
        wins = (homes == condition.home) & (aways == condition.away)
    elif condition.kind == "all":
        wins = np.all([_shares(part, homes, aways)[0] > 0 for part in condition.parts], axis=0)
    else:
        wins = np.ones(len(homes), dtype=np.bool_)
        for home, away in condition.listed:
            wins &= (homes != home) | (aways != away)
        if condition.sign is not None:
            wins &= np.sign(homes - aways) == condition.sign
    return (wins != condition.negated).astype(np.float64), np.zeros(len(homes))


def grid_size(conditions: Iterable[Condition], min_score: Score = NO_GOALS) -> int:
    """Return the goals a side, beyond those already scored, that a grid must reach: every score outside pays like one inside.

    Outside, all goals are over the lines of totals and the scores listed. A difference within the lines of handicaps is kept by
    taking as many goals from both sides; one beyond them may shrink until it is just beyond. Three more goals leave room to keep
    the parities of both sides. Lines are those that count from the score already reached.
    """
    total = team = difference = listed = 0
    for condition in _parts(conditions):
        if condition.kind in {"score", "other"}:
            scores = condition.listed if condition.kind == "other" else ((condition.home, condition.away),)
            listed = max(listed, *(max(home - min_score.home, away - min_score.away) for home, away in scores), 0, 0)
            continue
        line = ceil(abs(condition.line + condition.home * min_score.home + condition.away * min_score.away))
        if condition.home * condition.away > 0:
            total = max(total, line)
        elif condition.home * condition.away < 0:
            difference = max(difference, line)
        else:
            team = max(team, line)
    # Beyond the listed scores, a side's goals decide which side of level the score is on.
    return max(total + 1, listed + abs(min_score.home - min_score.away) + 1, team + difference + 3, difference + 3) + 3


def _parts(conditions: Iterable[Condition]) -> Iterable[Condition]:
    for condition in conditions:
        yield from _parts(condition.parts)
        yield from _parts(() if condition.returned is None else (condition.returned,))
        yield condition


@lru_cache(maxsize=256)
def grid(conditions: tuple[Condition, ...], min_score: Score = NO_GOALS) -> ScoreGrid:
    """Return the grid for some conditions: one score for each way of paying all of them.

    Args:
        conditions: the conditions.
        min_score: the goals that both sides have already, or `MIN_RESULTS`.
    """
    size = _RESULTS if min_score == MIN_RESULTS else grid_size(conditions, min_score) + 1
    homes, aways = (axis.ravel() for axis in np.indices((size, size)))
    homes, aways = homes + min_score.home, aways + min_score.away
    stacked = _stacked(conditions, homes, aways)
    marks, chosen, groups = np.unique(_marks(stacked), return_index=True, return_inverse=True)
    if not np.array_equal(stacked[:, chosen][:, groups], stacked):
        chosen, marks = np.arange(len(homes)), np.zeros(0)  # two different columns have the same mark
    won, returned = np.split(stacked[:, chosen], 2)
    return ScoreGrid(homes[chosen], aways[chosen], won, returned, marks)


def _stacked(conditions: Sequence[Condition], homes: Integers, aways: Integers) -> Floats:
    """Return the shares that win of all conditions, and below them those that are returned, by score."""
    won, returned = zip(*(shares(condition, homes, aways) for condition in conditions), strict=True)
    return np.array((*won, *returned))


def _marks(stacked: Floats) -> Floats:
    """Return a number for each column: comparing one random projection of each is much faster than sorting columns."""
    return np.asarray((np.random.default_rng(0).random(len(stacked)) @ stacked).round(9))


def moved(
    before: ScoreGrid, probabilities: Floats, after: ScoreGrid, conditions: Sequence[Condition], goals: Score
) -> Floats | None:
    """Move a distribution to another grid: each score, with the goals since, to the one that pays as it does.

    Args:
        before: the grid of the distribution.
        probabilities: by score.
        after: the other grid.
        conditions: those that this was made for.
        goals: how many both sides have scored since; what may still follow is taken to be as likely as before.

    Returns:
        The distribution, None where the scores of the other grid can't be told apart by their marks.
    """
    if not len(after.marks):
        return None
    stacked = _stacked(conditions, before.homes + goals.home, before.aways + goals.away)
    places = np.minimum(np.searchsorted(after.marks, _marks(stacked)), len(after.marks) - 1)
    if not np.array_equal(np.vstack((after.won, after.returned))[:, places], stacked):
        return None
    return np.asarray(np.bincount(places, weights=probabilities, minlength=len(after.marks)), dtype=np.float64)


def solve(scores: ScoreGrid, rows: Sequence[int], odds: Sequence[float]) -> Solution:
    """Find a distribution of the score under which every bet loses, the one furthest from an edge, or stakes that never lose.

    The smallest loss of the bets is made as large as it can be, so that the distribution remains good while prices move. Its
    optimum is negative exactly where stakes win at every score; the stakes are the dual variables. Where it is zero, stakes may
    still win at some scores and get everything back at the others, as with draws that are returned; that is a program of its own.

    Args:
        scores: the grid.
        rows: the condition of each bet, as its row of the grid.
        odds: the decimal odds of each bet.
    """
    nets = _nets(scores, rows, odds)
    bets, cells = nets.shape
    best = maximise(np.append(np.zeros(cells), 1.0), np.hstack((nets, np.ones((bets, 1)))), cells)
    if best.outcome != "optimal":
        return Solution()
    probabilities = np.maximum(best.variables[:-1], 0.0)
    probabilities /= probabilities.sum()
    edge = (nets @ probabilities).max()
    if edge < -TOLERANCE:
        return Solution(probabilities)
    if edge < -_MAX_LOSS:
        # All lose on average, but too little to allow any move. The second program would be at the limits of the solver.
        return Solution(is_fair=True)
    stakes = best.prices
    if best.variables[-1] >= -TOLERANCE:
        best = maximise(nets.mean(axis=1), -nets.T, bets)
        if best.outcome != "optimal" or best.value <= TOLERANCE:
            # Infeasible: all stakes lose at some score, by less than the first program's tolerance.
            return Solution(is_fair=best.outcome != "unsolved")
        stakes = best.variables
    stakes = np.maximum(stakes, 0.0)
    stakes[stakes < _MIN_STAKE * stakes.sum()] = 0.0
    stakes /= stakes.sum()
    won = stakes @ nets
    return Solution(stakes=stakes, profit=max(0.0, float(won.min()))) if _never_loses(won) else Solution()


def repair(scores: ScoreGrid, rows: Sequence[int], odds: Sequence[float], probabilities: Floats) -> Floats | None:
    """Move a distribution to one under which every bet loses, if a few steps lead to one; much cheaper than the program.

    Each step is the one of least relative entropy that makes the bet with the largest edge a losing one (Bregman's cyclic
    projections; for such constraints Csiszár, "I-divergence geometry of probability distributions and minimization problems",
    1975), to first order.

    Args:
        scores: the grid.
        rows: the condition of each bet, as its row of the grid.
        odds: the decimal odds of each bet.
        probabilities: by score.
    """
    nets = _nets(scores, rows, odds)
    # Steps are multiplicative: a probability of 0 would stay 0.
    repaired = probabilities + _REVIVAL / len(probabilities)
    repaired /= repaired.sum()
    for _ in range(_MAX_STEPS):
        edges = nets @ repaired
        worst = int(edges.argmax())
        edge = float(edges[worst])
        if edge < -TOLERANCE:
            return np.asarray(repaired)
        net = nets[worst]
        variance = float(repaired @ (net - edge) ** 2)
        if variance <= 0.0:
            return None
        steps = (-_REPAIRED_LOSS - edge) / variance * net
        repaired *= np.exp(np.minimum(np.maximum(steps, -_MAX_EXPONENT), _MAX_EXPONENT))
        repaired /= repaired.sum()
    return None


def _nets(scores: ScoreGrid, rows: Sequence[int], odds: Sequence[float]) -> Floats:
    """Return what a stake of 1 on each bet wins or loses at each score."""
    return np.asarray(np.array(odds)[:, None] * scores.won[rows] + scores.returned[rows] - 1.0)


def _never_loses(won: Floats) -> bool:
    return bool(won.min() >= -_MAX_LOSS and won.mean() > TOLERANCE)


def never_loses(
    conditions: Sequence[Condition], odds: Sequence[float], stakes: Sequence[float], min_score: Score = NO_GOALS
) -> bool:
    """Check whether stakes lose at no score, and win at some.

    Args:
        conditions: the conditions of the bets.
        odds: of the bets, decimal.
        stakes: on the bets, in any one unit.
        min_score: the goals so far: only scores that can still come count.
    """
    return _never_loses(np.array(stakes) @ _nets(grid(tuple(conditions), min_score), range(len(conditions)), odds))


def ceilings(won: Floats | Sequence[Floats], returned: Floats | Sequence[Floats], probabilities: Floats) -> list[int]:
    """Return the odds up to which each bet loses on average, in thousandths.

    Args:
        won: the share that wins, by bet and score.
        returned: the share that is returned.
        probabilities: of the scores.
    """
    wins = np.asarray(won) @ probabilities
    fair = (1.0 - np.asarray(returned) @ probabilities - TOLERANCE) * 1000.0
    limits = np.divide(fair, wins, out=np.full(len(wins), _NO_CEILING), where=wins > 0)
    return [int(limit) for limit in np.minimum(limits, _NO_CEILING)]
