"""Decide what the prices of a flush do to each other: verdicts suspend and reopen markets, which may move prices again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.domain.ids import MarketId
    from oddsengine.pricing.guards.score_grid.guard import ScoreGuard

#: How often verdicts may move prices that then have to be decided anew.
MAX_ROUNDS: Final = 8


def settle(scores: ScoreGuard, now_ms: int, mark: Callable[[MarketId], None], reprice: Callable[[], None]) -> list[MarketId]:
    """Check the prices of a flush until none moves any more. Returns the markets to suspend because they would not settle.

    Args:
        scores: the guard.
        now_ms: Unix milliseconds, for its budget.
        mark: marks a market to be priced again.
        reprice: prices and stages what was marked.
    """
    for _ in range(MAX_ROUNDS):
        for market in scores.check(now_ms):
            mark(market)
        reprice()
        if not scores.has_moved:
            return []
    undecided = scores.undecided()
    for market in undecided:
        mark(market)
    return undecided
