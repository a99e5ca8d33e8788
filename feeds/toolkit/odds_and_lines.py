"""The numbers of providers, which may be texts: odds and lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from oddsengine.common.excerpts import echoed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    #: Prices of a market by selection, as its provider writes them; None where there is none.
    Prices: TypeAlias = dict[str, float | str | None]

#: What JSON has for numbers, with a sign, and nothing of what else `float` takes: `NaN`, `Infinity`, `1_000`.
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
#: Lines are shorter: a longer number is not a line, and would not be written exactly in an id.
_MAX_LINE: Final = 10_000.0
#: Lines are multiples of this: whole numbers, halves, quarters, and the tenths of cricket and darts.
_LINE_STEP: Final = 0.05
_EXACT: Final = 1e-6
#: The shortest decimal odds. Fractional ones of favourites are shorter.
_MIN_ODDS: Final = 1.01
#: Between what the inverse decimal odds of a market sum to, per winner. American odds sum to less. Fractional ones of three
#: outcomes, where none is refused by itself, sum to more; with further outcomes they can't be distinguished from a large margin.
_MIN_BOOK_SUM: Final = 0.5
_MAX_BOOK_SUM: Final = 1.5
_FEW_OUTCOMES: Final = 3


def decimal_odds(value: float | str | None) -> float | None:
    """Parse decimal odds, a number or text. None for values that are not odds."""
    if value is None or (isinstance(value, str) and value.lstrip().startswith("+")):
        # Only American odds have a sign.
        return None
    try:
        odds = _number(value)
    except ValueError:
        return None
    return odds if _MIN_ODDS <= odds < float("inf") else None


def problem_of_odds(value: float | str | None) -> str | None:
    """Return why a price can't be used; None if it can, or if there is none."""
    return None if value is None or decimal_odds(value) is not None else f"{echoed(value)} is not decimal odds"


def read_quotes(prices: Mapping[str, float | str | None], outcomes: int, winners: int = 1) -> tuple[dict[str, float], list[str]]:
    """Parse a bookmaker's prices of a market, the same way for all adapters.

    Args:
        prices: by selection; None where there is none.
        outcomes: how many selections the market has.
        winners: how many of them win.

    Returns:
        The decimal odds by selection, empty if together they can't be decimal odds; and a problem for each price that is refused.
    """
    quotes: dict[str, float] = {}
    problems: list[str] = []
    for key, price in prices.items():
        if (odds := decimal_odds(price)) is not None:
            quotes[key] = odds
        elif price is not None:
            problems.append(f"{problem_of_odds(price)} ({key})")
    if len(quotes) == outcomes and 0 < winners < outcomes:
        per_winner = sum(1.0 / odds for odds in quotes.values()) / winners
        if per_winner < _MIN_BOOK_SUM or (per_winner > _MAX_BOOK_SUM and outcomes <= _FEW_OUTCOMES):
            return {}, [f"the inverse odds sum to {per_winner:.3f}: these are not decimal odds"]
    return quotes, problems


def to_line(value: float | str) -> float:
    """Parse a line or handicap, a number or text.

    Raises:
        ValueError: if it is not one; the message says so.
    """
    line = _number(value)
    if not -_MAX_LINE < line < _MAX_LINE or abs(line / _LINE_STEP - round(line / _LINE_STEP)) > _EXACT:
        raise ValueError(f"{echoed(value)} is not a line")
    # Without what floats are imprecise by, and the sign of -0.0.
    return round(line, 2) or 0.0


def to_handicap(value: float | str) -> float:
    """Parse the line of an Asian handicap: a whole number, a half or a quarter. No other one says what becomes of a stake.

    Raises:
        ValueError: if it is not one; the message says so.
    """
    line = to_line(value)
    if not (4 * line).is_integer():
        raise ValueError(f"{echoed(value)} is not the line of an Asian handicap")
    return line


def to_total_line(value: float | str) -> float:
    """Parse the line of a total, which must be over 0.

    Raises:
        ValueError: if it is not one; the message says so.
    """
    line = to_line(value)
    if line <= 0.0:
        raise ValueError(f"{echoed(value)} is not the line of a total")
    return line


def to_amount(value: object) -> float | None:
    """Parse an amount of money, a number or text. None for values that are none."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return None
    try:
        amount = _number(value)
    except ValueError:
        return None
    return amount if 0.0 <= amount < float("inf") else None


def _number(value: float | str) -> float:
    if isinstance(value, str):
        text = value.strip()
        if _NUMBER.fullmatch(text) is None:
            raise ValueError(f"{echoed(value)} is not a number")
        return float(text)
    return float(value)
