"""The law of the markets on one score: nobody wins at every score by bets on them, each in its best profile."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tests.oracles.score_bets import best_profit

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Mapping

    from tests.oracles.laws.prices import Published
    from tests.oracles.score_bets import Kind
    from tests.oracles.statements import Source

#: What stakes of 1 may win by the imprecision of a program.
_ERROR = 1e-6


def across_markets(markets: Mapping[Kind, Published], least: tuple[int, int], counts: Counter[str]) -> list[str]:
    """Return what is wrong with the open markets on one score, together.

    Args:
        markets: what is on offer.
        least: the goals that have been scored.
        counts: is increased by what was checked.
    """
    odds = {
        (kind, key): max(known) / 1000
        for kind, market in markets.items()
        if market.status == "open"
        for key, prices in market.prices.items()
        if (known := [price for price in prices if price is not None])
    }
    if len({kind.type for kind, _ in odds}) < (1 if least > (0, 0) else 2):
        return []
    counts["markets compared on their score"] += len({kind for kind, _ in odds})
    profit = _profit(tuple(odds.items()), least)
    if profit <= _ERROR:
        return []
    return [f"stakes of 1 on {', '.join(kind.name for kind in dict.fromkeys(kind for kind, _ in odds))} win {profit} at least"]


@lru_cache(maxsize=256)
def _profit(odds: tuple[tuple[tuple[Kind, str], float], ...], least: tuple[int, int]) -> float:
    # Most flushes change none of them.
    return best_profit(dict(odds), least)


def common_score(sources: Iterable[Source], event: str) -> tuple[int, int]:
    """Return the score where all live sources say the same of an event in play; no goals otherwise, which forbids less."""
    told = {source.events[event].score for source in sources if source.is_live and event in source.events}
    if len(told) != 1 or (score := told.pop()) is None:
        return 0, 0
    home, _, away = score.partition("-")
    return int(home), int(away)
