"""One profile's prices of one set of selections whose probabilities sum to the number of winners.

`price_book` is the plain statement of how a price comes about, with every number on the way. `MovingBook` gives the same
prices when only some selections move: for each price it knows the range of the common scale in which it stays, so a move
costs what it changes. A property test holds the two equal.
"""

from __future__ import annotations

from math import fsum, inf
from typing import TYPE_CHECKING, NamedTuple

from oddsengine.pricing.errors import MarginError
from oddsengine.pricing.fair import Basis
from oddsengine.pricing.margin import quote_odds
from oddsengine.pricing.rounding import round_book, round_price

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.pricing.fair import Fair
    from oddsengine.pricing.profile import Profile

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
    tilted = [
        None if probability is None else probability**profile.skew * (1.0 + shift.get(key, 0.0))
        for key, probability in zip(keys, fair, strict=True)
    ]
    known = [probability for probability in tilted if probability is not None]
    if not known:
        return [None] * len(keys)
    back = fsum([probability for probability in fair if probability is not None]) / fsum(known)
    # A probability may not reach 1 however much is shifted onto it.
    return [None if probability is None else max(1.0 / (probability * back), _CERTAIN) for probability in tilted]


class MovingBook:
    """One profile's prices of a set of selections, kept up to date as some of them move.

    Args:
        keys: of the selections.
        winners: how many of them win.
        profile: prices them.
    """

    __slots__ = (
        "_ceilings",
        "_each_alone",
        "_floors",
        "_keys",
        "_profile",
        "_ranges",
        "_size",
        "_winners",
        "prices",
        "refusal",
        "settled",
    )

    def __init__(self, keys: Sequence[str], winners: int, profile: Profile) -> None:
        size = len(keys)
        self._keys = keys
        self._size = size
        self._winners = winners
        self._profile = profile
        self._each_alone = profile.method == "multiplicative" and not profile.is_tilted and profile.rounds_plainly
        self.prices: list[int | None] = [None] * size
        #: why the set can't be open by this profile, if it can't
        self.refusal: str | None = None
        #: whether every price has arrived where it is going
        self.settled = True
        #: between these quoted odds each price stays; at first nowhere, so that everything is priced
        self._ranges = [_NOWHERE] * size
        #: the same for the common scale
        self._floors = [inf] * size
        self._ceilings = [-inf] * size

    def move(self, inverses: list[float | None], factor: float, moved: Sequence[int], *, fresh: bool = True) -> list[int]:
        """Price anew what has to be; tell which places have another price.

        Args:
            inverses: 1 / probability of every selection, None where there is none.
            factor: makes the probabilities sum to the number of winners.
            moved: the places whose inverse is another than at the last call.
            fresh: whether nothing is on offer, so that no price of before holds back the new ones.
        """
        profile = self._profile
        if not self._each_alone:
            quotes = quote_book(self._keys, inverses, factor, self._winners, profile)
            fair = [None if inverse is None else factor / inverse for inverse in inverses]
            rounded = round_book(quotes, fair, self._winners, profile, None if fresh else self.prices)
            self.refusal, self.settled = rounded.refusal, rounded.settled
            return self._set(rounded.prices, range(self._size))
        scale = 1.0 / (factor * profile.book_sum)
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
            return []
        due = [place for place in range(self._size) if not floors[place] <= scale < ceilings[place]]
        new: list[int | None] = []
        for place in due:
            inverse = inverses[place]
            if inverse is None:
                new.append(None)
                floors[place], ceilings[place] = -inf, inf
                self._ranges[place] = _NOWHERE
                continue
            price, low, high = round_price(scale * inverse, profile)
            new.append(price)
            low, high = low * (1 + _INSET), high * (1 - _INSET)
            self._ranges[place] = (low, high)
            floors[place], ceilings[place] = low / inverse, high / inverse
        return self._set(new, due)

    def _set(self, new: list[int | None], places: Sequence[int]) -> list[int]:
        prices = self.prices
        changed = []
        for place, price in zip(places, new, strict=True):
            if prices[place] != price:
                prices[place] = price
                changed.append(place)
        return changed
