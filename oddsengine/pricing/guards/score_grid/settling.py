"""Repeat pricing and checking until neither changes: verdicts suspend and reopen markets, which may move prices again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.domain.ids import MarketId
    from oddsengine.pricing.guards.score_grid.guard import ScoreGuard

#: The most rounds of pricing and checking in a flush.
MAX_ROUNDS: Final = 8


def settle(scores: ScoreGuard, now_ms: int, mark: Callable[[MarketId], None], reprice: Callable[[], None]) -> list[MarketId]:
    """Check the prices of a flush until none moves any more. Return the markets to suspend because they did not settle.

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
