"""A Poisson goal model of football: from two scoring rates and a score to the probability of every outcome.

Goals of the two sides are independent Poisson processes of constant rate (Maher, "Modelling association football
scores", 1982). Pure.
"""

from __future__ import annotations

from math import exp, factorial
from typing import Final, NamedTuple

MATCH_MINUTES: Final = 90.0
#: Goals in the rest of a match beyond this number are neglected; the tail is below 1e-6 at the rates used here.
_MAX_GOALS: Final = 14


class Score(NamedTuple):
    """Goals so far."""

    home: int
    away: int


class Outlook:
    """The distribution of the final score.

    Args:
        score: goals so far.
        home_rate: goals the home side is expected to score in the rest of the match.
        away_rate: the same for the away side.
    """

    def __init__(self, score: Score, home_rate: float, away_rate: float) -> None:
        self.score = score
        self._home = _poisson(home_rate)
        self._away = _poisson(away_rate)
        self._total = _poisson(home_rate + away_rate)

    def result(self) -> tuple[float, float, float]:
        """Return the probabilities of a home win, a draw and an away win."""
        lead = self.score.home - self.score.away
        margins = self._margins()
        home = sum(probability for margin, probability in margins.items() if lead + margin > 0)
        draw = margins.get(-lead, 0.0)
        return home, draw, max(0.0, 1.0 - home - draw)

    def over(self, line: float) -> float:
        """Return the probability of more goals in total than a half-goal line."""
        missing = line - self.score.home - self.score.away
        return 1.0 if missing < 0 else max(0.0, 1.0 - sum(self._total[: int(missing) + 1]))

    def both_score(self) -> float:
        """Return the probability that both sides score."""
        home = 1.0 if self.score.home else 1.0 - self._home[0]
        away = 1.0 if self.score.away else 1.0 - self._away[0]
        return home * away

    def final_score(self, score: Score) -> float:
        """Return the probability of one final score."""
        home, away = score.home - self.score.home, score.away - self.score.away
        if home < 0 or away < 0 or home > _MAX_GOALS or away > _MAX_GOALS:
            return 0.0
        return self._home[home] * self._away[away]

    def handicap(self, line: float) -> float:
        """Return the fair inverse odds of the home side with a head start of `line` goals, counted from the current score.

        Half of a quarter-line stake goes on each neighbouring line; a push returns the stake, so the fair odds are
        1 + (expected share lost) / (expected share won).
        """
        won = lost = 0.0
        for half in (line - 0.25, line + 0.25) if (line * 4) % 2 else (line, line):
            for margin, probability in self._margins().items():
                if margin + half > 0:
                    won += probability / 2
                elif margin + half < 0:
                    lost += probability / 2
        return won / (won + lost) if won + lost else 0.5

    def _margins(self) -> dict[int, float]:
        margins: dict[int, float] = {}
        for home, home_probability in enumerate(self._home):
            for away, away_probability in enumerate(self._away):
                margins[home - away] = margins.get(home - away, 0.0) + home_probability * away_probability
        return margins


def _poisson(mean: float) -> list[float]:
    return [exp(-mean) * mean**goals / factorial(goals) for goals in range(_MAX_GOALS + 1)]
