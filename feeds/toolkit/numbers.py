"""The numbers of providers, which may be texts: odds and lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

#: What JSON has for numbers, with a sign, and nothing of what else `float` takes: `NaN`, `Infinity`, `1_000`.
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
#: Lines are shorter: a longer number is not a line, and would not be written exactly in an id.
_MAX_LINE: Final = 10_000.0
#: Lines are multiples of this: whole numbers, halves, quarters, and the tenths of cricket and darts.
_LINE_STEP: Final = 0.05
_EXACT: Final = 1e-6
#: No set of decimal odds sums to less than this: such odds are in another format.
_MIN_BOOK_SUM: Final = 0.5


def decimal_odds(value: float | str | None) -> float | None:
    """Parse decimal odds, a number or text. None for values that are not odds."""
    if value is None:
        return None
    try:
        odds = _number(value)
    except ValueError:
        return None
    return odds if 1.0 < odds < float("inf") else None


def problem_of_book(quotes: Iterable[float]) -> str | None:
    """Return why the odds of all selections of a market can't be decimal ones; None if they can."""
    total = sum(1.0 / odds for odds in quotes)
    return None if total >= _MIN_BOOK_SUM else f"the inverse odds sum to {total:.3f}: these are not decimal odds"


def to_line(value: float | str) -> float:
    """Parse a line or handicap, a number or text.

    Raises:
        ValueError: if it is not one; the message says so.
    """
    line = _number(value)
    if not -_MAX_LINE < line < _MAX_LINE or abs(line / _LINE_STEP - round(line / _LINE_STEP)) > _EXACT:
        raise ValueError(f"{value!r} is not a line")
    # Without what floats are imprecise by, and the sign of -0.0.
    return round(line, 2) or 0.0


def to_total_line(value: float | str) -> float:
    """Parse the line of a total, which must be over 0.

    Raises:
        ValueError: if it is not one; the message says so.
    """
    line = to_line(value)
    if line <= 0.0:
        raise ValueError(f"{value!r} is not the line of a total")
    return line


def _number(value: float | str) -> float:
    if isinstance(value, str):
        text = value.strip()
        if _NUMBER.fullmatch(text) is None:
            raise ValueError(f"{value!r} is not a number")
        return float(text)
    return float(value)
