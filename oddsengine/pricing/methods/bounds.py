"""The interval that a source's prices allow for each probability, and fitting probabilities into their intervals.

An offer to lay at 2.02 is open to anybody, so a fair probability under 1/2.02 would lose money to bettors who take it. A
selection's own book thus bounds its probability between 1/lay and 1/back. Probabilities sum to the number of winners, so the
other selections' books bound it too. Where the bounds leave no room, the source contradicts itself.
"""

from __future__ import annotations

from math import fsum
from operator import gt
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.common import speedups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.feed_updates import PriceSize

#: A complete set whose probabilities sum to less than the first or more than the second, per winner, contradicts itself.
COHERENT: Final = (0.75, 1.34)
#: How far float error may take a probability out of its bounds.
BOUND_ERROR: Final = 1e-9
#: How far float error may take a sum of bounds over the number of winners.
_SUM_ERROR: Final = 1e-9
#: How far, per winner, the lay offers may sum over the winners: less than an exchange's commission, so nobody takes such offers.
_LAY_EXCESS: Final = 0.01
#: The number of outcomes up to which a book sum's upper bound holds as configured, what each further one adds to it, and the most
#: that they add. Correct scores of 16 to 40 outcomes are sold at sums of up to 2.
_FEW_OUTCOMES: Final = 3
_EACH_FURTHER_OUTCOME: Final = 0.05
_MAX_FURTHER: Final = 0.75
#: How far a book sum may be from the source's typical one.
_FROM_TYPICAL: Final = 0.1


class Fit(NamedTuple):
    """Probabilities within their bounds: each is the implied one times `factor`, or that of `fitted` where there is one."""

    factor: float
    fitted: list[float | None] | None

    def scaled(self, probabilities: Sequence[float | None]) -> list[float | None]:
        """Return the fair probabilities, from the implied ones."""
        if self.fitted is not None:
            return self.fitted
        return [None if probability is None else probability * self.factor for probability in probabilities]


def bounds(back: PriceSize | None, lay: PriceSize | None) -> tuple[float, float]:
    """Return the interval that a selection's best offers allow for its probability."""
    # Odds of 1 or less bound nothing from above and everything from below.
    low = 0.0 if lay is None else 1.0 / lay[0] if lay[0] > 1.0 else 1.0
    return low, 1.0 / back[0] if back is not None and back[0] > 1.0 else 1.0


def fit(probabilities: Sequence[float | None], lows: Sequence[float], highs: Sequence[float], winners: int) -> Fit | None:
    """Bring implied probabilities into their bounds; None if they contradict each other.

    A complete set sums to the winners: it is scaled, but no probability over its bounds. Only where all must be at their
    lower bounds, it sums to up to 1 % more. An incomplete one is not scaled: it changes only where it leaves the missing
    selections less or more than their own bounds allow.

    Args:
        probabilities: what is implied of every selection, None where nothing is.
        lows: the smallest probability that each selection's offers allow, 0 where nothing bounds it.
        highs: the largest one, 1 where nothing bounds it.
        winners: how many of the selections win.
    """
    solvers = speedups.solvers
    if solvers is not None:
        found = solvers.fit(probabilities, lows, highs, winners)
        if found is not NotImplemented:
            return None if found is None else Fit(*found)
    return fit_in_python(probabilities, lows, highs, winners)


def fit_in_python(
    probabilities: Sequence[float | None], lows: Sequence[float], highs: Sequence[float], winners: int
) -> Fit | None:
    """Bring implied probabilities into their bounds; see `fit`."""
    try:
        return _fit(probabilities, lows, highs, winners)
    except (ArithmeticError, ValueError):
        # Numbers that have no sum, or sum to nothing, are no probabilities.
        return None


def _fit(probabilities: Sequence[float | None], lows: Sequence[float], highs: Sequence[float], winners: int) -> Fit | None:
    if None in probabilities:
        return _fit_incomplete(probabilities, lows, highs, winners)
    total = fsum(probabilities)  # type: ignore[arg-type]
    if not COHERENT[0] * winners <= total <= COHERENT[1] * winners:
        return None
    factor = winners / total
    for probability, low, high in zip(probabilities, lows, highs, strict=True):
        if not low <= probability * factor <= high:  # type: ignore[operator]
            break
    else:
        return Fit(factor, None)
    if not has_room(lows, highs, winners):
        return None
    return Fit(1.0, [*scaled_within([each or 0.0 for each in probabilities], lows, highs, max(winners, fsum(lows)))])


def _fit_incomplete(
    probabilities: Sequence[float | None], lows: Sequence[float], highs: Sequence[float], winners: int
) -> Fit | None:
    if not has_room(lows, highs, winners):
        return None
    values: list[float] = []
    own_lows: list[float] = []
    own_highs: list[float] = []
    low_rest = high_rest = 0.0
    for probability, low, high in zip(probabilities, lows, highs, strict=True):
        if probability is None:
            low_rest += low
            high_rest += high
        else:
            values.append(probability)
            own_lows.append(low)
            own_highs.append(high)
    total = fsum(values)
    most, least = winners - low_rest, winners - high_rest
    if not values or least - _SUM_ERROR <= total <= most + _SUM_ERROR:
        return Fit(1.0, None)
    target = max(most, fsum(own_lows)) if total > most else least
    factor = target / total
    for probability, low, high in zip(values, own_lows, own_highs, strict=True):
        if not low <= probability * factor <= high:
            break
    else:
        return Fit(factor, None)
    within = iter(scaled_within(values, own_lows, own_highs, target))
    return Fit(1.0, [None if probability is None else next(within) for probability in probabilities])


def has_room(lows: Sequence[float], highs: Sequence[float], winners: int) -> bool:
    """Check whether some probabilities within the bounds sum to the winners, or to hardly more."""
    if not fsum(lows) <= winners * (1.0 + _LAY_EXCESS) or not fsum(highs) >= winners * (1.0 - _SUM_ERROR):
        return False
    return not any(map(gt, lows, highs))


def implied_bounds(lows: Sequence[float], highs: Sequence[float], winners: int, index: int) -> tuple[float, float]:
    """Return the interval of one selection's probability that its own bounds and those of the others allow.

    Args:
        lows: the lower bounds of the probabilities of all selections, 0 to 1.
        highs: the upper bounds, 0 to 1.
        winners: how many of the selections win.
        index: of the selection.
    """
    low, high = lows[index], highs[index]
    return max(low, winners - (fsum(highs) - high)), min(high, winners - (fsum(lows) - low))


def scaled_within(values: Sequence[float], lows: Sequence[float], highs: Sequence[float], total: float) -> list[float]:
    """Multiply values by one factor, each held within its bounds, so that they sum to a total that the bounds allow.

    The closest such numbers in relative entropy. A bound reached while the sum is still on its side of the total stays
    reached, so each round settles at least one value.
    """
    scaled = [*values]
    free = [*range(len(scaled))]
    rest = total
    while free:
        factor = rest / fsum([values[index] for index in free])
        over, under = set(), set()
        # One pass without calls: 4 us instead of 13 for eleven selections.
        for index in free:
            value = values[index] * factor
            if value >= highs[index]:
                scaled[index] = highs[index]
                over.add(index)
            elif value <= lows[index]:
                scaled[index] = lows[index]
                under.add(index)
            else:
                scaled[index] = value
        if not over and not under:
            return scaled
        excess = fsum([scaled[index] for index in free]) - rest
        # With too little in total the factor must rise, so values at their upper bound stay there; and vice versa.
        settled = over if excess < 0.0 else under
        if not settled or abs(excess) <= _SUM_ERROR * _SUM_ERROR:
            return scaled
        rest -= fsum([scaled[index] for index in settled])
        free = [index for index in free if index not in settled]
    return scaled


def quote_sum_bounds(outcomes: int, smallest: float, largest: float, typical: float) -> tuple[float, float]:
    """Return the bounds of a bookmaker's sum of inverse odds, per winner.

    Args:
        outcomes: how many selections there are. The more, the larger the margin that bookmakers take.
        smallest: the configured lower bound.
        largest: the configured upper bound, for two and three outcomes.
        typical: the source's typical sum, which narrows the bounds; 0 where it is not known.
    """
    further = min(_EACH_FURTHER_OUTCOME * max(outcomes - _FEW_OUTCOMES, 0), _MAX_FURTHER)
    if not typical:
        return smallest, largest + further
    return max(smallest, typical - _FROM_TYPICAL), max(min(largest, typical + _FROM_TYPICAL), typical) + further
