"""Market types and the statuses of markets and selections.

A market is `open`, `suspended` (no bets now) or `closed` (no more bets). A selection is `active`, `suspended` or `removed`, and
once resulted `winner`, `loser`, `void` or `placed`; the result itself, with its factors, is a `results.SelectionResult`.
"""

from __future__ import annotations

from typing import Literal

MarketType = Literal[
    "match_odds",  # three-way: home, draw, away
    "moneyline",  # two-way, no draw offered
    "total",  # over and under a line
    "handicap",  # three-way or whole-number head start
    "asian_handicap",  # quarter-ball lines, stakes may be split or returned
    "both_to_score",  # yes or no
    "correct_score",
    "winner",  # of a race or a tournament
    "place",  # among the first n, which all win
    "other",  # unknown to this taxonomy; published all the same
]

MarketStatus = Literal["open", "suspended", "closed"]
SelectionStatus = Literal["active", "suspended", "removed", "winner", "loser", "void", "placed"]


def default_name(market_type: MarketType) -> str:
    """Return the name of a market to which its source gave none."""
    return market_type.replace("_", " ").capitalize()
