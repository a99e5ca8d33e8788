"""Removing a bookmaker's margin from odds, and putting one on probabilities.

With q the inverse of the odds and B their sum (the book sum), p the fair probabilities that sum to the number of
winners, the methods say:

- multiplicative: q = c p.
- additive: q = p + c; the same as margin proportional to the odds (Buchdahl, "The Wisdom of the Crowd", 2015).
- power: p = q^k (Vovk & Zhdanov, "Prediction with expert advice for the Brier game", 2009, section 5).
- odds_ratio: q/(1-q) = c p/(1-p) (Cheung, "Fixed-odds betting and traditional odds", 2015); the same as logarithmic.
- shin: q = sqrt(B (z p + (1-z) p^2)), z the share of insiders (Shin, "Measuring the incidence of insider trading in a
  market for state-contingent claims", 1993; Jullien & Salanie, 1994, equation 5). For two outcomes it equals additive.
- goto: q = p + c sqrt(1-q), shifts by each q's standard error over q (Goto, "goto_conversion", 2023).

All sums are exactly rounded (`math.fsum`), so the order of the outcomes does not matter. Each solver starts on the side
from which Newton's method on a convex or concave function can't overshoot, or keeps a bracket.
"""

from __future__ import annotations

from math import fsum, inf, isfinite, log, sqrt
from operator import mul, truediv
from typing import TYPE_CHECKING, Final, Literal, get_args

from oddsengine.pricing.errors import MarginError
from oddsengine.pricing.methods import closed_forms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Method = Literal["multiplicative", "additive", "power", "odds_ratio", "shin", "goto"]
METHODS: Final[tuple[str, ...]] = get_args(Method)
#: The methods that also hold where several outcomes win.
SEVERAL_WINNERS: Final = frozenset({"multiplicative", "power", "odds_ratio"})

_MAX_STEPS: Final = 200
#: Newton's error after a step is of the order of the step's square: after one this small no digit is left to gain.
_LAST_STEP: Final = 1e-8


def fair_probabilities(odds: Sequence[float], method: str = "shin", winners: int = 1) -> list[float]:
    """Turn decimal odds into probabilities that sum to `winners`.

    Args:
        odds: decimal odds of every outcome, each over 1.
        method: one of `METHODS`.
        winners: how many of the outcomes win; over 1 for the methods in `SEVERAL_WINNERS` only.

    Raises:
        MarginError: if the numbers have no answer by this method; it names them.
    """
    remove = _REMOVE.get(method, _scale)
    if method not in _REMOVE or winners != 1 or len(odds) < 2:  # noqa: PLR2004 - the usual shape needs no closer look
        _check_shape(odds, winners, method, winners)
    # Not a number and infinity are caught by their inverses; the culprit is looked for only where there is one.
    if not min(odds) > 1.0:
        raise _bad_odds(odds, method, winners)
    inverse = [1.0 / price for price in odds]
    if not 0.0 < min(inverse) <= fsum(inverse):
        raise _bad_odds(odds, method, winners)
    try:
        fair = remove(inverse, float(winners))
    except (ArithmeticError, ValueError, _NoAnswer) as error:
        raise MarginError(method, str(error), odds, winners) from None
    if min(fair) <= 0.0 or max(fair) >= 1.0:
        raise MarginError(method, "a probability would not lie between 0 and 1", odds, winners)
    return fair


def quote_odds(probabilities: Sequence[float], book_sum: float, method: str = "odds_ratio", winners: int = 1) -> list[float]:
    """Turn fair probabilities into decimal odds, not rounded, whose inverses sum to `book_sum`.

    A great margin on a near certainty can ask for odds of 1 or less: they are given as they are, since only the caller
    knows the least odds it may offer.

    Args:
        probabilities: of every outcome, each between 0 and 1, summing to `winners`.
        book_sum: the sum of the inverse odds, that is winners x (1 + margin).
        method: one of `METHODS`.
        winners: how many of the outcomes win; over 1 for the methods in `SEVERAL_WINNERS` only.

    Raises:
        MarginError: if the numbers have no answer by this method; it names them.
    """
    _check_probabilities(probabilities, book_sum, method, winners)
    try:
        inverse = _APPLY[method](probabilities, book_sum)
    except (ArithmeticError, ValueError, _NoAnswer) as error:
        raise MarginError(method, str(error), probabilities, book_sum) from None
    if min(inverse) <= 0.0:
        raise MarginError(method, "an outcome's odds would not be positive", probabilities, book_sum)
    return [1.0 / quoted for quoted in inverse]


class _NoAnswer(Exception):
    """The equation has no solution for these numbers."""


def _bad_odds(odds: Sequence[float], method: str, winners: int) -> MarginError:
    culprit = next(price for price in odds if not (price > 1.0 and isfinite(price)))
    return MarginError(method, f"decimal odds are finite and over 1, not {culprit!r}", odds, winners)


def _check_probabilities(probabilities: Sequence[float], book_sum: float, method: str, winners: int) -> None:
    _check_shape(probabilities, book_sum, method, winners)
    if not (book_sum > 0.0 and isfinite(book_sum)):
        raise MarginError(method, f"a book sum is finite and over 0, not {book_sum!r}", probabilities, book_sum)
    if not (min(probabilities) > 0.0 and max(probabilities) < 1.0):
        culprit = next((value for value in probabilities if not 0.0 < value < 1.0), probabilities[0])
        raise MarginError(method, f"a probability lies between 0 and 1, not {culprit!r}", probabilities, book_sum)
    total = fsum(probabilities)
    if not abs(total - winners) <= 1e-6 * winners:
        raise MarginError(method, f"the probabilities sum to {total:.9g}, not to {winners}", probabilities, book_sum)


def _check_shape(numbers: Sequence[float], target: float, method: str, winners: int) -> None:
    if method not in _REMOVE:
        raise MarginError(method, f"not a method; the methods are {', '.join(METHODS)}", numbers, target)
    if len(numbers) < 2:  # noqa: PLR2004 - a market has two outcomes or more
        raise MarginError(method, "a market has at least two outcomes", numbers, target)
    if not 1 <= winners < len(numbers):
        raise MarginError(method, f"{winners} winners of {len(numbers)} outcomes", numbers, target)
    if winners > 1 and method not in SEVERAL_WINNERS:
        names = ", ".join(sorted(SEVERAL_WINNERS))
        raise MarginError(method, f"holds for one winner only; for several use {names}", numbers, target)


# -- methods that are their own inverse: take values to values with another sum ------------------------------------


def _scale(values: Sequence[float], target: float) -> list[float]:
    factor = target / fsum(values)
    return [value * factor for value in values]


def _shift(values: Sequence[float], target: float) -> list[float]:
    step = (target - fsum(values)) / len(values)
    return [value + step for value in values]


def _power(values: Sequence[float], target: float) -> list[float]:
    if len(values) == 3:  # noqa: PLR2004 - football's market, written out
        k, powers = closed_forms.power_of_three((values[0], values[1], values[2]), target, _MAX_STEPS)
    elif len(values) == 2:  # noqa: PLR2004 - a market of two, written out
        k, powers = closed_forms.power_of_two((values[0], values[1]), target, _MAX_STEPS)
    else:
        k, powers = _power_of_many(values, target)
    if not k > 0.0:
        raise _NoAnswer(f"the exponent would be {k:g}")
    return powers


def _power_of_many(values: Sequence[float], target: float) -> tuple[float, list[float]]:
    """Find k with sum(v^k) = target; ln sum(v^k) is convex and falls with k, and nearly a line."""
    logs = [log(value) for value in values]
    wanted = log(target)
    k = 1.0
    powers = list(values)
    for _ in range(_MAX_STEPS):
        total = fsum(powers)
        step = (log(total) - wanted) * total / fsum(map(mul, powers, logs))
        k -= step
        powers = [value**k for value in values]
        if abs(step) <= _LAST_STEP * abs(k):
            break
    return k, powers


def _odds_ratio(values: Sequence[float], target: float) -> list[float]:
    if len(values) == 2:  # noqa: PLR2004 - a quadratic in c
        return _odds_ratio_of_two(values[0], values[1], target)
    if len(values) == 3:  # noqa: PLR2004 - football's market, written out
        found = closed_forms.odds_ratio((values[0], values[1], values[2]), target, _LAST_STEP, _MAX_STEPS)
        if found is not None:
            return found
    return _odds_ratio_of_many(values, target)


def _odds_ratio_of_many(values: Sequence[float], target: float) -> list[float]:
    """Find c with sum(v / (v + c (1 - v))) = target; target / sum is close to a line in c."""
    rests = [1.0 - value for value in values]
    products = list(map(mul, values, rests))
    low, high = 0.0, inf
    c = fsum(values) / target
    for _ in range(_MAX_STEPS):
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
            if abs(step) <= _LAST_STEP * c:
                break
        else:
            c = (low + high) / 2 if high < inf else c * 2
    return [value / (value + c * rest) for value, rest in zip(values, rests, strict=True)]


def _odds_ratio_of_two(first: float, second: float, target: float) -> list[float]:
    rest_1, rest_2 = 1.0 - first, 1.0 - second
    # Products first: then the order of the two does not matter to the last digit.
    squared = target * (rest_1 * rest_2)
    linear = (target - 1.0) * (first * rest_2 + second * rest_1)
    constant = (target - 2.0) * (first * second)
    c = (sqrt(linear * linear - 4.0 * (squared * constant)) - linear) / (2.0 * squared)
    return [first / (first + c * rest_1), second / (second + c * rest_2)]


# -- methods with two directions -----------------------------------------------------------------------------------


def _shin_remove(inverse: Sequence[float], winners: float) -> list[float]:
    """Find z with sum(sqrt(z^2 + 4 (1-z) q^2/B)) = 2 - (2-n) z: convex in z, from 0 Newton can't pass the root."""
    outcomes = len(inverse)
    if outcomes == 2:  # noqa: PLR2004 - the closed form
        return _shift(inverse, winners)
    book_sum = fsum(inverse)
    if outcomes == 3:  # noqa: PLR2004 - football's market, written out
        z = closed_forms.shin_insiders((inverse[0], inverse[1], inverse[2]), _LAST_STEP, _MAX_STEPS)
    else:
        z = _insiders(inverse, book_sum)
    if not -1.0 < z < 1.0:
        raise _NoAnswer(f"the share of insiders would be {z:g}")
    rest, factor = 1.0 - z, 4.0 * (1.0 - z) / book_sum
    return [(sqrt(z * z + factor * value * value) - z) / (2.0 * rest) for value in inverse]


def _insiders(inverse: Sequence[float], book_sum: float) -> float:
    outcomes = len(inverse)
    factor = 4.0 / book_sum
    squares = [factor * value * value for value in inverse]
    z = 0.0
    for _ in range(_MAX_STEPS):
        rest, square_z = 1.0 - z, z * z
        roots = [sqrt(square_z + rest * square) for square in squares]
        excess = fsum(roots) + (2 - outcomes) * z - 2.0
        slope = fsum(map(truediv, [z - square / 2 for square in squares], roots)) + 2 - outcomes
        step = excess / slope
        z -= step
        if abs(step) <= _LAST_STEP:
            break
    return z


def _shin_apply(probabilities: Sequence[float], book_sum: float) -> list[float]:
    """Find z with sum(sqrt(z p + (1-z) p^2)) = sqrt(B): concave and rising in z, from 0 Newton can't pass the root."""
    wanted = sqrt(book_sum)
    greatest = fsum([sqrt(probability) for probability in probabilities])
    if wanted >= greatest:
        raise _NoAnswer(f"no share of insiders makes a book sum of {greatest * greatest:.6g} or more")
    if len(probabilities) == 2:  # noqa: PLR2004 - the closed form
        return _shift(probabilities, book_sum)
    squares = [probability * probability for probability in probabilities]
    spreads = [probability - square for probability, square in zip(probabilities, squares, strict=True)]
    z = 0.0
    for _ in range(_MAX_STEPS):
        roots = [sqrt(square + z * spread) for square, spread in zip(squares, spreads, strict=True)]
        step = 2.0 * (wanted - fsum(roots)) / fsum(map(truediv, spreads, roots))
        z += step
        if abs(step) <= _LAST_STEP:
            break
    return [wanted * sqrt(square + z * spread) for square, spread in zip(squares, spreads, strict=True)]


def _goto_remove(inverse: Sequence[float], winners: float) -> list[float]:
    errors = [sqrt(1.0 - value) for value in inverse]
    step = (fsum(inverse) - winners) / fsum(errors)
    return [value - step * error for value, error in zip(inverse, errors, strict=True)]


def _goto_apply(probabilities: Sequence[float], book_sum: float) -> list[float]:
    """Find s with sum(q) = B where u = sqrt(1-q) solves u^2 + s u = 1 - p; each q rises with s."""
    fours = [4.0 * (1.0 - probability) for probability in probabilities]
    low, high = -inf, inf
    s = 0.0
    for _ in range(_MAX_STEPS):
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
            if abs(step) <= _LAST_STEP:
                break
        elif isfinite(low) and isfinite(high):
            s = (low + high) / 2
        else:
            s += step
    quoted = [1.0 - ((sqrt(s * s + four) - s) / 2) ** 2 for four in fours]
    if not isfinite(s):
        raise _NoAnswer("no step reaches the book sum")
    return quoted


_REMOVE: Final[dict[str, Callable[[Sequence[float], float], list[float]]]] = {
    "multiplicative": _scale,
    "additive": _shift,
    "power": _power,
    "odds_ratio": _odds_ratio,
    "shin": _shin_remove,
    "goto": _goto_remove,
}
_APPLY: Final[dict[str, Callable[[Sequence[float], float], list[float]]]] = {
    "multiplicative": _scale,
    "additive": _shift,
    "power": _power,
    "odds_ratio": _odds_ratio,
    "shin": _shin_apply,
    "goto": _goto_apply,
}
