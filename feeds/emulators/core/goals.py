"""A Poisson goal model of football: from two scoring rates and a score to the probability of every outcome.

Goals of the two sides are independent Poisson processes of constant rate (Maher, "Modelling association football
scores", 1982). Pure.
"""

from __future__ import annotations

from math import exp, factorial
from typing import Final, NamedTuple

MATCH_MINUTES: Final = 90.0
#: More goals than this in the rest of a match count as this many; the tail is below 1e-6 at any rate used here.
_MOST_GOALS: Final = 14


class Score(NamedTuple):
    """Goals so far."""

    home: int
    away: int


class Outlook:
    """The distribution of the final score.

    Args:
        score: goals so far.
        home_to_come: expected goals of the home side in the rest of the match.
        away_to_come: the same of the away side.
    """

    def __init__(self, score: Score, home_to_come: float, away_to_come: float) -> None:
        self.score = score
        self._home = _poisson(home_to_come)
        self._away = _poisson(away_to_come)
        self._total = _poisson(home_to_come + away_to_come)

    def result(self) -> tuple[float, float, float]:
        """Probability that home wins, of a draw, that away wins."""
        lead = self.score.home - self.score.away
        margins = self._margins()
        home = sum(probability for margin, probability in margins.items() if lead + margin > 0)
        draw = margins.get(-lead, 0.0)
        return home, draw, max(0.0, 1.0 - home - draw)

    def over(self, line: float) -> float:
        """Probability of more goals in all than a half-goal line."""
        missing = line - self.score.home - self.score.away
        return 1.0 if missing < 0 else max(0.0, 1.0 - sum(self._total[: int(missing) + 1]))

    def both_score(self) -> float:
        """Probability that both sides score."""
        home = 1.0 if self.score.home else 1.0 - self._home[0]
        away = 1.0 if self.score.away else 1.0 - self._away[0]
        return home * away

    def final_score(self, score: Score) -> float:
        """Probability of one final score."""
        home, away = score.home - self.score.home, score.away - self.score.away
        if home < 0 or away < 0 or home > _MOST_GOALS or away > _MOST_GOALS:
            return 0.0
        return self._home[home] * self._away[away]

    def handicap(self, line: float) -> float:
        """Fair inverse odds of the home side with a head start of `line` goals from the score now, quarter lines included.

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
    return [exp(-mean) * mean**goals / factorial(goals) for goals in range(_MOST_GOALS + 1)]
