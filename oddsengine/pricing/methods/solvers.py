"""Solvers of the margin equations for any number of outcomes; the equations and their sources are in `margin`.

All sums are exactly rounded (`math.fsum`), so the order of the outcomes does not matter. Each solver starts on the side
from which Newton's method on a convex or concave function can't overshoot, or keeps a bracket. Markets of two and three
outcomes, most of sport, are handed to `closed_forms`; those of more to the same solvers in C, where these were built. What they
have no answer for, the ones here decide.

No validation: `margin` checks the numbers before and after.
"""

from __future__ import annotations

from math import fsum, inf, isfinite, log, sqrt
from operator import mul, truediv
from typing import TYPE_CHECKING

from oddsengine.common import speedups
from oddsengine.pricing.methods.closed_forms import (
    LAST_STEP,
    MAX_STEPS,
    odds_ratio_of_three,
    odds_ratio_of_two,
    power_of_three,
    power_of_two,
    shin_insiders_of_three,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


class NoSolution(Exception):
    """The equation has no solution for these numbers."""


# -- methods that are their own inverse: from values to values with another sum ------------------------------------


def scale(values: Sequence[float], target: float) -> list[float]:
    """Multiply all values by the factor that makes them sum to the target."""
    factor = target / fsum(values)
    return [value * factor for value in values]


def shift(values: Sequence[float], target: float) -> list[float]:
    """Add to all values the amount that makes them sum to the target."""
    step = (target - fsum(values)) / len(values)
    return [value + step for value in values]


def power(values: Sequence[float], target: float) -> list[float]:
    """Raise all values to the power that makes them sum to the target."""
    if len(values) == 3:  # noqa: PLR2004 - home, draw, away
        k, powers = power_of_three((values[0], values[1], values[2]), target)
    elif len(values) == 2:  # noqa: PLR2004 - two sides
        k, powers = power_of_two((values[0], values[1]), target)
    else:
        solvers = speedups.solvers
        k, powers = (solvers and solvers.power(values, target)) or power_of_many(values, target)
    if not k > 0.0:
        raise NoSolution(f"the exponent would be {k:g}")
    return powers


def power_of_many(values: Sequence[float], target: float) -> tuple[float, list[float]]:
    """Find k with sum(v^k) = target; ln sum(v^k) is convex and falls with k, and nearly a line."""
    logs = [log(value) for value in values]
    wanted = log(target)
    k = 1.0
    powers = list(values)
    for _ in range(MAX_STEPS):
        total = fsum(powers)
        step = (log(total) - wanted) * total / fsum(map(mul, powers, logs))
        k -= step
        powers = [value**k for value in values]
        if abs(step) <= LAST_STEP * abs(k):
            break
    return k, powers


def odds_ratio(values: Sequence[float], target: float) -> list[float]:
    """Divide the odds v/(1-v) of all values by the factor that makes the values sum to the target."""
    if len(values) == 2:  # noqa: PLR2004 - two sides
        return odds_ratio_of_two((values[0], values[1]), target)
    if len(values) == 3:  # noqa: PLR2004 - home, draw, away
        found = odds_ratio_of_three((values[0], values[1], values[2]), target)
        if found is not None:
            return found
    solvers = speedups.solvers
    return (solvers and solvers.odds_ratio(values, target)) or odds_ratio_of_many(values, target)


def odds_ratio_of_many(values: Sequence[float], target: float) -> list[float]:
    """Find c with sum(v / (v + c (1 - v))) = target; target / sum is close to a line in c."""
    rests = [1.0 - value for value in values]
    products = list(map(mul, values, rests))
    low, high = 0.0, inf
    c = fsum(values) / target
    for _ in range(MAX_STEPS):
        divisors = [value + c * rest for value, rest in zip(values, rests, strict=True)]
        total = fsum(map(truediv, values, divisors))
        if total > target:
            low = c
        else:
            high = c
        step = (target - total) * total / (target * fsum(map(truediv, products, map(mul, divisors, divisors))))
        if step == 0.0:
            break
        if low < c - step < high:
            c -= step
            if abs(step) <= LAST_STEP * c:
                break
        else:
            c = (low + high) / 2 if high < inf else c * 2
    return [value / (value + c * rest) for value, rest in zip(values, rests, strict=True)]


# -- methods with two directions -----------------------------------------------------------------------------------


def shin_remove(inverse: Sequence[float], winners: float) -> list[float]:
    """Return the probabilities behind inverse odds q, for the share of insiders z that makes them sum to 1."""
    outcomes = len(inverse)
    if outcomes == 2:  # noqa: PLR2004 - the Shin is additive here
        return shift(inverse, winners)
    book_sum = fsum(inverse)
    if outcomes == 3:  # noqa: PLR2004 - home, draw, away
        return _shin_with(shin_insiders_of_three(inverse), inverse, book_sum)
    solvers = speedups.solvers
    return (solvers and solvers.shin_remove(inverse, book_sum)) or shin_remove_of_many(inverse, book_sum)


def shin_remove_of_many(inverse: Sequence[float], book_sum: float) -> list[float]:
    """Return the probabilities behind inverse odds that sum to `book_sum`."""
    return _shin_with(shin_insiders_of_many(inverse, book_sum), inverse, book_sum)


def _shin_with(z: float, inverse: Sequence[float], book_sum: float) -> list[float]:
    if not -1.0 < z < 1.0:
        raise NoSolution(f"the share of insiders would be {z:g}")
    rest, factor = 1.0 - z, 4.0 * (1.0 - z) / book_sum
    return [(sqrt(z * z + factor * value * value) - z) / (2.0 * rest) for value in inverse]


def shin_insiders_of_many(inverse: Sequence[float], book_sum: float) -> float:
    """Find the share z of insiders: sum(sqrt(z^2 + 4 (1-z) q^2/B)) = 2 - (2-n) z, convex in z; from 0 Newton can't overshoot."""
    outcomes = len(inverse)
    factor = 4.0 / book_sum
    squares = [factor * value * value for value in inverse]
    z = 0.0
    for _ in range(MAX_STEPS):
        rest, square_z = 1.0 - z, z * z
        roots = [sqrt(square_z + rest * square) for square in squares]
        excess = fsum(roots) + (2 - outcomes) * z - 2.0
        slope = fsum(map(truediv, [z - square / 2 for square in squares], roots)) + 2 - outcomes
        step = excess / slope
        z -= step
        if abs(step) <= LAST_STEP:
            break
    return z


def shin_apply(probabilities: Sequence[float], book_sum: float) -> list[float]:
    """Return the inverse odds of probabilities that sum to `book_sum`, by some share of insiders."""
    solvers = speedups.solvers if len(probabilities) > 2 else None  # noqa: PLR2004 - additive for two
    return (solvers and solvers.shin_apply(probabilities, book_sum)) or shin_apply_of_any(probabilities, book_sum)


def shin_apply_of_any(probabilities: Sequence[float], book_sum: float) -> list[float]:
    """Find z with sum(sqrt(z p + (1-z) p^2)) = sqrt(B): concave and rising in z; from 0 Newton can't overshoot."""
    wanted = sqrt(book_sum)
    max_root = fsum([sqrt(probability) for probability in probabilities])
    if wanted >= max_root:
        raise NoSolution(f"no share of insiders makes a book sum of {max_root * max_root:.6g} or more")
    if len(probabilities) == 2:  # noqa: PLR2004 - additive here
        return shift(probabilities, book_sum)
    squares = [probability * probability for probability in probabilities]
    spreads = [probability - square for probability, square in zip(probabilities, squares, strict=True)]
    z = 0.0
    for _ in range(MAX_STEPS):
        roots = [sqrt(square + z * spread) for square, spread in zip(squares, spreads, strict=True)]
        step = 2.0 * (wanted - fsum(roots)) / fsum(map(truediv, spreads, roots))
        z += step
        if abs(step) <= LAST_STEP:
            break
    return [wanted * sqrt(square + z * spread) for square, spread in zip(squares, spreads, strict=True)]


def goto_remove(inverse: Sequence[float], winners: float) -> list[float]:
    """Subtract from each inverse odds q the same multiple of sqrt(1-q)."""
    errors = [sqrt(1.0 - value) for value in inverse]
    step = (fsum(inverse) - winners) / fsum(errors)
    return [value - step * error for value, error in zip(inverse, errors, strict=True)]


def goto_apply(probabilities: Sequence[float], book_sum: float) -> list[float]:
    """Find s with sum(q) = B where u = sqrt(1-q) solves u^2 + s u = 1 - p; each q rises with s."""
    fours = [4.0 * (1.0 - probability) for probability in probabilities]
    low, high = -inf, inf
    s = 0.0
    for _ in range(MAX_STEPS):
        roots = [sqrt(s * s + four) for four in fours]
        halves = [(root - s) / 2 for root in roots]
        total = fsum([1.0 - half * half for half in halves])
        if total < book_sum:
            low = s
        else:
            high = s
        slope = fsum([half * (1.0 - s / root) for half, root in zip(halves, roots, strict=True)])
        step = (book_sum - total) / slope
        if step == 0.0:
            break
        if low < s + step < high:
            s += step
            if abs(step) <= LAST_STEP:
                break
        elif isfinite(low) and isfinite(high):
            s = (low + high) / 2
        else:
            s += step
    quoted = [1.0 - ((sqrt(s * s + four) - s) / 2) ** 2 for four in fours]
    if not isfinite(s):
        raise NoSolution("no step reaches the book sum")
    return quoted
