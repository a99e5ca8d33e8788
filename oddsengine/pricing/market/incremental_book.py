"""Several profiles' prices of one set of selections, kept up to date at the cost of what changes.

The prices are those of `reference.price_book`; a property test holds the two equal. For each price the range of the common
scale within which it stays is known, so that most moves cost a comparison and no search in a ladder.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from oddsengine.common import speedups
from oddsengine.pricing.market.quoting import quote_book
from oddsengine.pricing.market.rounding import Rounder, round_book, rounder, with_fixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.pricing.profiles.profile import Profile

#: Ranges are narrowed by this share of their ends, so that no rounding error inside them can reach another price.
_INSET: Final = 1e-12


class IncrementalBook:
    """Several profiles' prices of a set of selections, updated as some of them move.

    Profiles that price each selection independently share one range of fair odds a selection: within it no price of any
    of these profiles changes, however many they are. All other profiles are priced jointly, the whole set at each move.

    Args:
        keys: of the selections.
        winners: how many of them win.
        profiles: their settings.
    """

    __slots__ = (
        "_ceilings",
        "_floors",
        "_independent",
        "_joint",
        "_keys",
        "_own_ceilings",
        "_own_floors",
        "_profiles",
        "_range_highs",
        "_range_lows",
        "_roundings",
        "_size",
        "_winners",
        "is_joint",
        "prices",
        "refusal",
        "settled",
    )

    def __init__(self, keys: Sequence[str], winners: int, profiles: Sequence[Profile]) -> None:
        size = len(keys)
        self._keys = keys
        self._size = size
        self._winners = winners
        self._profiles = profiles
        self._independent: list[tuple[int, float, Rounder]] = [
            (number, profile.book_sum, rounder(profile))
            for number, profile in enumerate(profiles)
            if profile.prices_independently
        ]
        #: the same for the loop in C
        self._roundings = [
            (number, profile.book_sum, profile.min_odds, profile.max_odds, profile.ladder_ticks.ticks)
            for number, profile in enumerate(profiles)
            if profile.prices_independently
        ]
        self._joint = [number for number, profile in enumerate(profiles) if not profile.prices_independently]
        #: whether some price does not follow from the selection's own fair odds alone
        self.is_joint = bool(self._joint)
        #: by profile, then by selection
        self.prices: list[list[int | None]] = [[None] * size for _ in profiles]
        #: why the set may not be open in some profile, None if it may in all
        self.refusal: str | None = None
        #: whether no price has further steps to go
        self.settled = True
        #: the fair odds between which a selection's prices stay; empty at first, so that everything is priced
        self._range_lows = [inf] * size
        self._range_highs = [-inf] * size
        #: the same for each of these profiles by itself, by selection
        self._own_floors = [[inf] * len(self._independent) for _ in range(size)]
        self._own_ceilings = [[-inf] * len(self._independent) for _ in range(size)]
        #: the same for the factor from inverse probabilities to fair odds
        self._floors = [inf] * size
        self._ceilings = [-inf] * size

    def update(
        self,
        inverses: list[float | None],
        factor: float,
        moved: Sequence[int],
        lows: Sequence[float] = (),
        *,
        fresh: bool = True,
    ) -> set[int]:
        """Price what moved. Return the indices of the selections whose prices changed.

        Args:
            inverses: 1 / probability of every selection, None where there is none.
            factor: divides the inverses so that the probabilities sum to the number of winners.
            moved: the indices whose inverse differs from that of the last call.
            lows: the smallest probability that each selection's offers allow; empty where nothing bounds any.
            fresh: whether nothing is on offer, so that no earlier price damps the new ones.
        """
        changed: set[int] = set()
        if self._independent:
            update = IncrementalBook.update_independent if speedups.pricing is None else speedups.pricing.update_independent
            update(self, inverses, 1.0 / factor, moved, changed)
        if self._joint:
            self._update_joint(inverses, factor, lows, changed, fresh=fresh)
        return changed

    def _update_joint(
        self,
        inverses: list[float | None],
        factor: float,
        lows: Sequence[float],
        changed: set[int],
        *,
        fresh: bool,
    ) -> None:
        fair = [None if inverse is None else factor / inverse for inverse in inverses]
        self.refusal, self.settled = None, True
        for number in self._joint:
            profile = self._profiles[number]
            quotes = quote_book(self._keys, inverses, factor, self._winners, profile, lows)
            rounded = round_book(quotes, fair, self._winners, profile, None if fresh else self.prices[number])
            if profile.fixed_prices:
                rounded = with_fixed(self._keys, rounded, self._winners, profile)
            self.refusal = self.refusal or rounded.refusal
            self.settled = self.settled and rounded.settled
            for index, price in enumerate(rounded.prices):
                self._set(number, index, price, changed)

    def update_independent(self, inverses: list[float | None], scale: float, moved: Sequence[int], changed: set[int]) -> None:
        """Price what moved in the profiles that price each selection independently. Add the indices of what changed."""
        floors, ceilings, lows, highs = self._floors, self._ceilings, self._range_lows, self._range_highs
        for index in moved:
            inverse = inverses[index]
            if inverse is not None and lows[index] <= scale * inverse < highs[index]:
                # Moved, but not to another price: the common case, without a search in the ladder.
                floors[index], ceilings[index] = lows[index] / inverse, highs[index] / inverse
            else:
                floors[index] = inf
        if max(floors) <= scale < min(ceilings):
            return
        for index, inverse in enumerate(inverses):
            if floors[index] <= scale < ceilings[index]:
                continue
            if inverse is None:
                for number, _, _ in self._independent:
                    self._set(number, index, None, changed)
                lows[index], highs[index] = inf, -inf
                self._own_floors[index] = [inf] * len(self._independent)
                floors[index], ceilings[index] = -inf, inf
            else:
                low, high = lows[index], highs[index] = self._price_independent(index, scale * inverse, changed)
                floors[index], ceilings[index] = low / inverse, high / inverse

    def _price_independent(self, index: int, fair_odds: float, changed: set[int]) -> tuple[float, float]:
        """Price one selection in the profiles where it moves. Return the fair odds between which all these prices stay."""
        floors, ceilings = self._own_floors[index], self._own_ceilings[index]
        for place, (number, book_sum, round_down) in enumerate(self._independent):
            if not floors[place] <= fair_odds < ceilings[place]:
                price, low, high = round_down(fair_odds / book_sum)
                self._set(number, index, price, changed)
                floors[place], ceilings[place] = low * book_sum * (1 + _INSET), high * book_sum * (1 - _INSET)
        return max(floors), min(ceilings)

    def _set(self, number: int, index: int, price: int | None, changed: set[int]) -> None:
        prices = self.prices[number]
        if prices[index] != price:
            prices[index] = price
            changed.add(index)
