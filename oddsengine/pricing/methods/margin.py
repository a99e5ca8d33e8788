"""Remove a bookmaker's margin from odds, and apply one to probabilities.

With q the inverse of the odds and B their sum (the book sum), p the fair probabilities that sum to the number of
winners, the methods are:

- multiplicative: q = c p.
- additive: q = p + c; the same as margin proportional to the odds (Buchdahl, "The Wisdom of the Crowd", 2015).
- power: p = q^k (Vovk & Zhdanov, "Prediction with expert advice for the Brier game", 2009, section 5).
- odds_ratio: q/(1-q) = c p/(1-p) (Cheung, "Fixed-odds betting and traditional odds", 2015); the same as logarithmic.
- shin: q = sqrt(B (z p + (1-z) p^2)), z the share of insiders (Shin, "Measuring the incidence of insider trading in a
  market for state-contingent claims", 1993; Jullien & Salanie, 1994, equation 5). For two outcomes it equals additive.
- goto: q = p + c sqrt(1-q), shifts by each q's standard error over q (Goto, "goto_conversion", 2023).

The equations are solved in `solvers`; this module validates the numbers on both sides of them.
"""

from __future__ import annotations

from math import fsum, isfinite
from typing import TYPE_CHECKING, Final, Literal, get_args

from oddsengine.pricing.errors import MarginError
from oddsengine.pricing.methods.solvers import (
    NoSolution,
    goto_apply,
    goto_remove,
    odds_ratio,
    power,
    scale,
    shift,
    shin_apply,
    shin_remove,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Method = Literal["multiplicative", "additive", "power", "odds_ratio", "shin", "goto"]
METHODS: Final[tuple[str, ...]] = get_args(Method)
#: A method to remove a margin by; `auto` is the best that holds for the market: `shin`, or `multiplicative` if several win.
Devig = Literal["auto", "multiplicative", "additive", "power", "odds_ratio", "shin", "goto"]
#: The methods that also hold where several outcomes win.
SEVERAL_WINNERS: Final = frozenset({"multiplicative", "power", "odds_ratio"})


def devig_method(devig: str, winners: int) -> str:
    """Return the method by which a margin is removed where so many outcomes win."""
    if devig != "auto":
        return devig
    return "shin" if winners == 1 else "multiplicative"


def fair_probabilities(odds: Sequence[float], method: str = "shin", winners: int = 1) -> list[float]:
    """Return the probabilities, summing to `winners`, that decimal odds imply without their margin.

    Args:
        odds: decimal odds of every outcome, each over 1.
        method: one of `METHODS`.
        winners: how many of the outcomes win; over 1 for the methods in `SEVERAL_WINNERS` only.

    Raises:
        MarginError: if the method has no answer for these numbers, which it names.
    """
    remove = _REMOVE.get(method, scale)
    if method not in _REMOVE or winners != 1 or len(odds) < 2:  # noqa: PLR2004 - the usual shape needs no further check
        _check_shape(odds, winners, method, winners)
    # NaN and infinity show up in the inverses; only then is the bad number looked for.
    if not min(odds) > 1.0:
        raise _bad_odds(odds, method, winners)
    inverse = [1.0 / price for price in odds]
    if not 0.0 < min(inverse) <= fsum(inverse):
        raise _bad_odds(odds, method, winners)
    try:
        fair = remove(inverse, float(winners))
    except (ArithmeticError, ValueError, NoSolution) as error:
        raise MarginError(method, str(error), odds, winners) from None
    if min(fair) <= 0.0 or max(fair) >= 1.0:
        raise MarginError(method, "a probability would not lie between 0 and 1", odds, winners)
    return fair


def quote_odds(probabilities: Sequence[float], book_sum: float, method: str = "odds_ratio", winners: int = 1) -> list[float]:
    """Return unrounded decimal odds for fair probabilities, whose inverses sum to `book_sum`.

    A large margin on a near certainty can lead to odds of 1 or less. They are returned unchanged: only the caller knows
    the lowest odds it may offer.

    Args:
        probabilities: of every outcome, each between 0 and 1, summing to `winners`.
        book_sum: the sum of the inverse odds, that is winners x (1 + margin).
        method: one of `METHODS`.
        winners: how many of the outcomes win; over 1 for the methods in `SEVERAL_WINNERS` only.

    Raises:
        MarginError: if the method has no answer for these numbers, which it names.
    """
    _check_probabilities(probabilities, book_sum, method, winners)
    try:
        inverse = _APPLY[method](probabilities, book_sum)
    except (ArithmeticError, ValueError, NoSolution) as error:
        raise MarginError(method, str(error), probabilities, book_sum) from None
    if min(inverse) <= 0.0:
        raise MarginError(method, "an outcome's odds would not be positive", probabilities, book_sum)
    return [1.0 / quoted for quoted in inverse]


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


_REMOVE: Final[dict[str, Callable[[Sequence[float], float], list[float]]]] = {
    "multiplicative": scale,
    "additive": shift,
    "power": power,
    "odds_ratio": odds_ratio,
    "shin": shin_remove,
    "goto": goto_remove,
}
_APPLY: Final[dict[str, Callable[[Sequence[float], float], list[float]]]] = {
    "multiplicative": scale,
    "additive": shift,
    "power": power,
    "odds_ratio": odds_ratio,
    "shin": shin_apply,
    "goto": goto_apply,
}
