"""The share that a bookmaker keeps of bets on a market, once its results are known.

The bets express nobody's opinion: while the market is open the same amount is bet in each second, in equal parts on all its
selections, at the odds of that moment. So the share that is kept says what the odds were worth, not what people chose. It is
linear in the odds, so sums are enough, and results may come much later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.domain.changes import MarketRecord
    from oddsengine.domain.results import SelectionResult
    from oddsengine.repricing.views import MarketView


class Stakes:
    """The bets on one market in one profile; see the module."""

    __slots__ = ("_bets", "staked_s")

    def __init__(self) -> None:
        self.staked_s = 0.0
        #: selection -> what was staked on it, and what that would return if it won
        self._bets: dict[str, list[float]] = {}

    def bet(self, view: MarketView, seconds: float) -> None:
        """Bet for some time on an open market all of whose selections have a price."""
        self.staked_s += seconds
        each = seconds / len(view.prices)
        for key, price in view.prices:
            bets = self._bets.get(key)
            if bets is None:
                bets = self._bets[key] = [0.0, 0.0]
            bets[0] += each
            bets[1] += each * price / 1000

    def returned(self, results: Results) -> float | None:
        """Return what is paid to those who bet, stakes included; None if that is not known of every selection."""
        total = 0.0
        for key, (stake, win) in sorted(self._bets.items()):
            worth = results.worth_of(key)
            if worth is None:
                return None
            total += worth.returned * stake + worth.paid * win
        return total


class _Worth(NamedTuple):
    """The worth of a stake on a selection: a share that is returned, and a share of odds times stake that is paid."""

    returned: float
    paid: float


class Results:
    """The results of a market's selections.

    Args:
        record: the market.
    """

    def __init__(self, record: MarketRecord) -> None:
        self._worth = {key: _worth_of(each.status, each.result) for key, each in record.selections.items()}

    def worth_of(self, selection: str) -> _Worth | None:
        """Return what a stake on a selection is worth, None if that is not known."""
        return self._worth.get(selection)


def results_of(record: MarketRecord) -> Results | None:
    """Return the results of a market, None if it never had any."""
    return Results(record) if any(each.result is not None for each in record.selections.values()) else None


def _worth_of(status: str, result: SelectionResult | None) -> _Worth | None:
    if result is None or result.outcome is None:
        # What was withdrawn is no bet: the stake is returned.
        return _Worth(1.0, 0.0) if status == "removed" else None
    if result.outcome == "void":
        return _Worth(1.0, 0.0)
    returned, paid = result.void_factor, result.dead_heat_factor
    # Of a runner that was placed only a part of an each-way bet wins, at terms that the market does not say.
    if returned is None or result.outcome == "placed":
        return None
    if result.outcome == "loser":
        return _Worth(returned, 0.0)
    return None if paid is None else _Worth(returned, (1 - returned) * paid)


def hold_of(bets: Mapping[str, tuple[Stakes, Results | None]]) -> tuple[int, float | None]:
    """Return of how many markets all results are known, and the share of all stakes on these that is kept.

    Args:
        bets: the stakes and the results of each market.
    """
    markets, staked, paid = 0, 0.0, 0.0
    for _, (stakes, results) in sorted(bets.items()):
        returned = None if results is None or not stakes.staked_s else stakes.returned(results)
        if returned is not None:
            markets += 1
            staked += stakes.staked_s
            paid += returned
    return markets, 1 - paid / staked if staked else None
