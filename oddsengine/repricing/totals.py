"""Adds up how a market type differs in one profile. Times are Unix milliseconds, durations whole milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.repricing.report import Figures, LargestChange, Line, PriceChange
from oddsengine.repricing.stakes import Stakes, hold_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.domain.ids import MarketId
    from oddsengine.repricing.report import SideName
    from oddsengine.repricing.stakes import Results
    from oddsengine.repricing.views import MarketView

#: The decimals of what is reported: as many as mean something.
_DECIMALS: Final = 6
#: A change that lasts for less is no largest one: a replay takes no time to publish, so each price is new a moment earlier there.
_MIN_LARGEST_S: Final = 0.1


class _SideTotals:
    """The offer of one side of a market type."""

    def __init__(self) -> None:
        self.markets: set[MarketId] = set()
        self.offered_ms = 0
        self.changes = 0
        self.reasons_ms: dict[str, int] = {}
        #: the sum of book sums times seconds, while both sides are open
        self.book_sum_s = 0.0

    def absorb(self, other: _SideTotals) -> None:
        """Add what was added up of other markets."""
        self.markets |= other.markets
        self.offered_ms += other.offered_ms
        self.changes += other.changes
        for reason, each_ms in other.reasons_ms.items():
            self.reasons_ms[reason] = self.reasons_ms.get(reason, 0) + each_ms
        self.book_sum_s += other.book_sum_s

    @property
    def suspended_ms(self) -> int:
        return sum(self.reasons_ms.values())

    def reasons(self) -> dict[str, float]:
        """Return the share of the time on offer of each reason of a suspension, the greatest first."""
        found = sorted(self.reasons_ms.items(), key=lambda item: (-item[1], item[0]))
        return {reason: round(each_ms / self.offered_ms, _DECIMALS) for reason, each_ms in found}

    @property
    def open_ms(self) -> int:
        return self.offered_ms - self.suspended_ms


class _MarketStakes(NamedTuple):
    """The bets on a market: at what each side has offered whenever it was open, and at the same moments."""

    then: Stakes
    new: Stakes
    both_then: Stakes
    both_new: Stakes


class Totals:
    """The sums of a market type in a profile."""

    def __init__(self) -> None:
        self.sides = (_SideTotals(), _SideTotals())
        self._both_open_ms = 0
        self._both_complete_ms = 0
        #: seconds in which a selection had a price on both sides, and sums of relative changes times seconds
        self._priced_s = self._moved_s = self._absolute_s = 0.0
        self._largest: LargestChange | None = None
        self._stakes: dict[MarketId, _MarketStakes] = {}

    @property
    def is_offered(self) -> bool:
        """Whether any market was on offer for any time."""
        return any(side.offered_ms for side in self.sides)

    def add(self, market: MarketId, then: MarketView | None, new: MarketView | None, since_ms: int, until_ms: int) -> None:
        """Add a time in which nothing has changed."""
        elapsed_ms = until_ms - since_ms
        for side, view in zip(self.sides, (then, new), strict=True):
            if view is not None:
                side.markets.add(market)
                side.offered_ms += elapsed_ms
                if view.reason is not None:
                    side.reasons_ms[view.reason] = side.reasons_ms.get(view.reason, 0) + elapsed_ms
        then_open = then is not None and then.reason is None
        new_open = new is not None and new.reason is None
        if not then_open and not new_open:
            return
        seconds = elapsed_ms / 1000
        if then is not None and new is not None and then_open and new_open:
            self._both_open_ms += elapsed_ms
            if then.book_sum is not None and new.book_sum is not None:
                self._both_complete_ms += elapsed_ms
                self.sides[0].book_sum_s += then.book_sum * seconds
                self.sides[1].book_sum_s += new.book_sum * seconds
            self._compare(market, then, new, seconds, since_ms)
        self._bet(market, then if then_open else None, new if new_open else None, seconds)

    def _compare(self, market: MarketId, then: MarketView, new: MarketView, seconds: float, at_ms: int) -> None:
        if then.prices == new.prices:
            self._priced_s += seconds * len(new.prices)
            return
        before = dict(then.prices)
        for key, price in new.prices:
            old = before.get(key)
            if old is None:
                continue
            change = price / old - 1
            self._priced_s += seconds
            self._moved_s += change * seconds
            self._absolute_s += abs(change) * seconds
            if change and seconds >= _MIN_LARGEST_S and (self._largest is None or abs(change) > abs(self._largest.change)):
                self._largest = LargestChange(round(change, _DECIMALS), market, key, at_ms, old / 1000, price / 1000)

    def _bet(self, market: MarketId, then: MarketView | None, new: MarketView | None, seconds: float) -> None:
        complete_then = then if then is not None and then.book_sum is not None else None
        complete_new = new if new is not None and new.book_sum is not None else None
        if complete_then is None and complete_new is None:
            return
        stakes = self._stakes.get(market)
        if stakes is None:
            stakes = self._stakes[market] = _MarketStakes(Stakes(), Stakes(), Stakes(), Stakes())
        if complete_then is not None:
            stakes.then.bet(complete_then, seconds)
        if complete_new is not None:
            stakes.new.bet(complete_new, seconds)
        if complete_then is not None and complete_new is not None:
            stakes.both_then.bet(complete_then, seconds)
            stakes.both_new.bet(complete_new, seconds)

    def absorb(self, other: Totals) -> None:
        """Add what was added up of other markets."""
        for side, others in zip(self.sides, other.sides, strict=True):
            side.absorb(others)
        self._both_open_ms += other._both_open_ms
        self._both_complete_ms += other._both_complete_ms
        self._priced_s += other._priced_s
        self._moved_s += other._moved_s
        self._absolute_s += other._absolute_s
        largest = other._largest
        if largest is not None and (self._largest is None or abs(largest.change) > abs(self._largest.change)):
            self._largest = largest
        self._stakes |= other._stakes

    def line(self, profile: str, market_type: str, results: Callable[[MarketId], Results | None]) -> Line:
        """Return what is reported.

        Args:
            profile: the profile.
            market_type: the market type.
            results: returns what became of a market's selections, None if that is not known.
        """
        then, new = self.sides
        of = {market: (stakes, results(market)) for market, stakes in self._stakes.items()}
        holds = [hold_of({market: (stakes[i], known) for market, (stakes, known) in of.items()}) for i in range(4)]
        complete_s = self._both_complete_ms / 1000
        reasons: dict[SideName, dict[str, float]] = {"then": then.reasons(), "new": new.reasons()}
        return Line(
            profile=profile,
            type=market_type,
            markets=Figures.of(len(then.markets), len(new.markets)),
            markets_both=len(then.markets & new.markets),
            open_s=Figures.of(then.open_ms / 1000, new.open_ms / 1000),
            both_open_s=self._both_open_ms / 1000,
            book_sum=Figures.of(*(_ratio(side.book_sum_s, complete_s) for side in self.sides)),
            price=PriceChange(
                mean=_ratio(self._moved_s, self._priced_s),
                mean_absolute=_ratio(self._absolute_s, self._priced_s),
                largest=self._largest,
            ),
            suspended=Figures.of(*(_ratio(side.suspended_ms, side.offered_ms) for side in self.sides)),
            reasons=reasons,
            changes=Figures.of(then.changes, new.changes),
            hold_markets=holds[2][0],
            hold=Figures.of(*(_rounded(share) for _, share in holds[2:])),
            hold_while_open=Figures.of(*(_rounded(share) for _, share in holds[:2])),
        )


def _ratio(amount: float, whole: float) -> float | None:
    return round(amount / whole, _DECIMALS) if whole else None


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, _DECIMALS)
