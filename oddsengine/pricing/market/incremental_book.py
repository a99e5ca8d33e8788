"""One profile's prices of one set of selections whose probabilities sum to the number of winners.

`price_book` is the plain statement of how a price comes about, with every number on the way. `IncrementalBook` gives the same
prices when only some selections move: for each price it knows the range of the common scale in which it stays, so a move
costs what it changes. A property test holds the two equal.
"""

from __future__ import annotations

from math import fsum, inf
from typing import TYPE_CHECKING, NamedTuple

from oddsengine.pricing.errors import MarginError
from oddsengine.pricing.market.rounding import Rounder, round_book, rounder
from oddsengine.pricing.methods.fair import Basis
from oddsengine.pricing.methods.margin import quote_odds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.pricing.methods.fair import Fair
    from oddsengine.pricing.profiles.profile import Profile

#: A whole book whose probabilities sum to less than the first or more than the second, per winner, contradicts itself.
COHERENT = (0.75, 1.34)
#: Ranges are drawn in by this share of their ends, so that inside them no rounding error can reach another price.
_INSET = 1e-12
_NOWHERE = (inf, -inf)
#: The least inverse probability after a shift.
_CERTAIN = 1.0001


class PricedSelection(NamedTuple):
    """Every number on the way to one profile's price of one selection.

    `raw` is what the source implies, `fair` the same made coherent with the other selections and lines, `quoted` decimal
    odds with margin before rounding, `price` thousandths on the ladder; None from the first step that had no answer.
    """

    raw: float | None
    basis: Basis | None
    fair: float | None
    quoted: float | None
    price: int | None


NOTHING = PricedSelection(None, None, None, None, None)


class PricedBook(NamedTuple):
    """A priced set of selections; `refusal` says why it can't be open, if it can't."""

    selections: list[PricedSelection]
    refusal: str | None


def coherence(probabilities: Sequence[float | None], winners: int) -> float | None:
    """Give the factor that makes probabilities sum to the number of winners; None if they contradict each other.

    Where some are missing the rest can't be made to sum; they may only not exceed the whole.
    """
    known = [probability for probability in probabilities if probability is not None]
    total = fsum(known)
    if len(known) < len(probabilities):
        return 1.0 if total <= winners else winners / total
    if COHERENT[0] * winners <= total <= COHERENT[1] * winners:
        return winners / total
    return None


def with_pooled(fair: Sequence[float | None], place: int, probability: float) -> list[float | None]:
    """Put one selection at a probability and scale the others so that the sum of them all stays."""
    own = fair[place]
    if own is None:
        return [*fair]
    rest = (1.0 - probability) / (1.0 - own)
    return [probability if at == place else None if other is None else other * rest for at, other in enumerate(fair)]


def price_book(
    keys: Sequence[str],
    raw: Sequence[Fair | None],
    winners: int,
    profile: Profile,
    pooled: tuple[int, float] | None = None,
) -> PricedBook | None:
    """Price a set of selections from nothing; None if their probabilities contradict each other.

    Args:
        keys: of the selections.
        raw: what the source implies of them.
        winners: how many of them win.
        profile: prices them.
        pooled: the place of a selection, and the probability that the other lines leave it.
    """
    factor = coherence([None if answer is None else answer.probability for answer in raw], winners)
    if factor is None:
        return None
    fair = [None if answer is None else answer.probability * factor for answer in raw]
    if pooled is not None:
        fair = with_pooled(fair, *pooled)
    inverses = [None if probability is None else 1.0 / probability for probability in fair]
    quotes = quote_book(keys, inverses, 1.0, winners, profile)
    rounded = round_book(quotes, fair, winners, profile)
    selections = [
        NOTHING
        if answer is None or quoted is None
        else PricedSelection(answer.probability, answer.basis, probability, quoted, price)
        for answer, probability, quoted, price in zip(raw, fair, quotes, rounded.prices, strict=True)
    ]
    return PricedBook(selections, rounded.refusal)


def quote_book(
    keys: Sequence[str], inverses: Sequence[float | None], factor: float, winners: int, profile: Profile
) -> list[float | None]:
    """Put the profile's skew, shifts and margin on inverse probabilities; decimal odds, not rounded.

    A method that has no answer for these numbers, or an incomplete book, is quoted in proportion.
    """
    if profile.is_tilted:
        inverses, factor = _tilted(keys, inverses, factor, profile), 1.0
    if profile.method != "multiplicative" and None not in inverses and winners < len(inverses):
        fair = [factor / inverse for inverse in inverses if inverse is not None]
        try:
            return [*quote_odds(fair, profile.book_sum * winners, profile.method, winners)]
        except MarginError:
            pass
    scale = 1.0 / (factor * profile.book_sum)
    return [None if inverse is None else scale * inverse for inverse in inverses]


def _tilted(keys: Sequence[str], inverses: Sequence[float | None], factor: float, profile: Profile) -> list[float | None]:
    """Skew and shift probabilities so that they sum to what they did: what one gains the others lose."""
    fair = [None if inverse is None else factor / inverse for inverse in inverses]
    shift = profile.shift
    skewed = [
        None if probability is None else probability**profile.skew * (1.0 + shift.get(key, 0.0))
        for key, probability in zip(keys, fair, strict=True)
    ]
    known = [probability for probability in skewed if probability is not None]
    if not known:
        return [None] * len(keys)
    back = fsum([probability for probability in fair if probability is not None]) / fsum(known)
    # A probability may not reach 1 however much is shifted onto it.
    return [None if probability is None else max(1.0 / (probability * back), _CERTAIN) for probability in skewed]


class IncrementalBook:
    """Several profiles' prices of a set of selections, kept up to date as some of them move.

    Profiles that spread their margin in proportion and round each price alone share one range for each selection: while
    its fair odds stay in that, no such profile's price changes, however many they are.

    Args:
        keys: of the selections.
        winners: how many of them win.
        profiles: price them.
    """

    __slots__ = (
        "_alone",
        "_ceilings",
        "_floors",
        "_keys",
        "_profiles",
        "_ranges",
        "_size",
        "_together",
        "_winners",
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
        self._alone: list[tuple[int, float, Rounder]] = [
            (place, profile.book_sum, rounder(profile)) for place, profile in enumerate(profiles) if profile.prices_each_alone
        ]
        self._together = [place for place, profile in enumerate(profiles) if not profile.prices_each_alone]
        #: by profile, then by selection
        self.prices: list[list[int | None]] = [[None] * size for _ in profiles]
        #: why the set can't be open by some profile, if it can't
        self.refusal: str | None = None
        #: whether every price has arrived where it is going
        self.settled = True
        #: between these fair odds each selection's prices stay; at first nowhere, so that everything is priced
        self._ranges = [_NOWHERE] * size
        #: the same for the factor that takes inverse probabilities to fair odds
        self._floors = [inf] * size
        self._ceilings = [-inf] * size

    def move(self, inverses: list[float | None], factor: float, moved: Sequence[int], *, fresh: bool = True) -> set[int]:
        """Price anew what has to be; tell which selections have another price.

        Args:
            inverses: 1 / probability of every selection, None where there is none.
            factor: makes the probabilities sum to the number of winners.
            moved: the places whose inverse is another than at the last call.
            fresh: whether nothing is on offer, so that no price of before holds back the new ones.
        """
        changed: set[int] = set()
        if self._alone:
            self._move_alone(inverses, 1.0 / factor, moved, changed)
        if self._together:
            self._move_together(inverses, factor, changed, fresh=fresh)
        return changed

    def _move_together(self, inverses: list[float | None], factor: float, changed: set[int], *, fresh: bool) -> None:
        fair = [None if inverse is None else factor / inverse for inverse in inverses]
        self.refusal, self.settled = None, True
        for number in self._together:
            profile = self._profiles[number]
            quotes = quote_book(self._keys, inverses, factor, self._winners, profile)
            rounded = round_book(quotes, fair, self._winners, profile, None if fresh else self.prices[number])
            self.refusal = self.refusal or rounded.refusal
            self.settled = self.settled and rounded.settled
            for place, price in enumerate(rounded.prices):
                self._set(number, place, price, changed)

    def _move_alone(self, inverses: list[float | None], scale: float, moved: Sequence[int], changed: set[int]) -> None:
        floors, ceilings = self._floors, self._ceilings
        for place in moved:
            inverse = inverses[place]
            low, high = self._ranges[place]
            if inverse is not None and low <= scale * inverse < high:
                # Moved, but not to another price: the common case, and without a search in the ladder.
                floors[place], ceilings[place] = low / inverse, high / inverse
            else:
                floors[place] = inf
        if max(floors) <= scale < min(ceilings):
            return
        for place in range(self._size):
            if floors[place] <= scale < ceilings[place]:
                continue
            inverse = inverses[place]
            low, high = (-inf, inf) if inverse is None else self._price_alone(place, scale * inverse, changed)
            if inverse is None:
                for number, _, _ in self._alone:
                    self._set(number, place, None, changed)
                self._ranges[place] = _NOWHERE
                floors[place], ceilings[place] = low, high
            else:
                self._ranges[place] = (low, high)
                floors[place], ceilings[place] = low / inverse, high / inverse

    def _price_alone(self, place: int, fair_odds: float, changed: set[int]) -> tuple[float, float]:
        """Price one selection for every profile; give the fair odds between which all those prices stay."""
        lows, highs = [], []
        for number, book_sum, round_down in self._alone:
            price, low, high = round_down(fair_odds / book_sum)
            self._set(number, place, price, changed)
            lows.append(low * book_sum)
            highs.append(high * book_sum)
        return max(lows) * (1 + _INSET), min(highs) * (1 - _INSET)

    def _set(self, number: int, place: int, price: int | None, changed: set[int]) -> None:
        prices = self.prices[number]
        if prices[place] != price:
            prices[place] = price
            changed.add(place)
