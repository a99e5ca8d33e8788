"""Check that the markets of one event on its score can't be beaten together.

1X2, double chance, draw no bet, handicaps, totals, both to score and correct score all depend on one final score. Either some
distribution of that score makes every published bet a losing one, or some stakes lose at no score (the duality of linear
programs; von Neumann's minimax theorem for the matrix game of bets against scores). `ScoreGuard` keeps the distribution, the
event's certificate, for as long as it holds, and solves again only where it fails.
"""

from oddsengine.pricing.guards.score_grid.group import Arbitrage, Leg
from oddsengine.pricing.guards.score_grid.guard import DEFAULT_SOLVES_PER_S, ScoreGuard
from oddsengine.pricing.guards.score_grid.settling import settle

__all__ = ["DEFAULT_SOLVES_PER_S", "Arbitrage", "Leg", "ScoreGuard", "settle"]
