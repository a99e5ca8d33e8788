"""Odds formats: decimal, fractional, American, Hong Kong, Malay, Indonesian, implied percent.

With d the decimal odds, stake included: fractional and Hong Kong are d - 1. American is what a stake of 100 wins (evens and over)
or, negative, the stake that wins 100 (under). Malay is d - 1 up to evens and -1/(d - 1) over, Indonesian the reverse. Percent is
100/d.

Formatted odds parse to the same thousandths: fractional uses the traditional fractions where there is one and exact fractions
elsewhere, the others enough digits. American odds are exact on the American ladder and rounded to a whole number off it.
"""

from __future__ import annotations

import re
from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING, Final, Literal, get_args

from oddsengine.common.excerpts import echoed
from oddsengine.domain.odds import OddsMilli

if TYPE_CHECKING:
    from collections.abc import Callable

OddsFormat = Literal["decimal", "fractional", "american", "hong_kong", "malay", "indonesian", "percent"]
FORMATS: Final[tuple[str, ...]] = get_args(OddsFormat)

#: The fractions quoted by British bookmakers, in their notation, ascending.
_FRACTIONS: Final = """
    1/100 1/66 1/50 1/33 1/25 1/20 1/16 1/14 1/12 1/10 1/9 1/8 1/7 2/13 1/6 2/11 1/5 2/9 1/4 2/7 3/10 1/3 4/11 2/5
    4/9 1/2 8/15 4/7 8/13 4/6 8/11 4/5 5/6 10/11 1/1 11/10 6/5 5/4 11/8 6/4 13/8 7/4 15/8 2/1 9/4 5/2 11/4 3/1
    10/3 7/2 4/1 9/2 5/1 11/2 6/1 13/2 7/1 15/2 8/1 17/2 9/1 10/1 11/1 12/1 14/1 16/1 18/1 20/1 22/1 25/1 28/1
    33/1 40/1 50/1 66/1 80/1 100/1 125/1 150/1 200/1 250/1 300/1 400/1 500/1 1000/1
"""
TRADITIONAL_FRACTIONS: Final = tuple(_FRACTIONS.split())
_EVENS: Final = 2000
#: What JSON has for numbers, with a sign, and nothing of what else Python reads: `NaN`, `1_000`, digits of other scripts.
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?")
_FRACTION: Final = re.compile(r"([0-9]{1,12})/([0-9]{1,12})")
#: Digits that keep all thousandths up to odds of 1000 distinct after -1/(d-1).
_DIGITS: Final = 9


def _from_fraction(text: str) -> int:
    return round(1000 * (1 + Fraction(text)))


#: thousandths -> their traditional fraction
_TRADITIONAL: Final[dict[int, str]] = {_from_fraction(text): text for text in TRADITIONAL_FRACTIONS}


def format_odds(odds_milli: int, odds_format: str) -> float | int | str:
    """Return odds in a format: a string for fractional, a number for the others.

    Args:
        odds_milli: decimal odds in thousandths, over 1000.
        odds_format: one of `FORMATS`.

    Raises:
        ValueError: if the format is unknown.
    """
    formatter = FORMATTERS.get(odds_format)
    if formatter is None:
        raise ValueError(f"unknown odds format {echoed(odds_format)}; the formats are {', '.join(FORMATS)}")
    return formatter(odds_milli)


def parse_odds(text: str, odds_format: str) -> OddsMilli:
    """Parse odds in a format, rounded to thousandths.

    Raises:
        ValueError: if the format is unknown, or the text is not of that format; the message has an example.
    """
    parser = _PARSERS.get(odds_format)
    if parser is None:
        raise ValueError(f"unknown odds format {echoed(odds_format)}; the formats are {', '.join(FORMATS)}")
    try:
        decimal = parser(text.strip())
    except (ValueError, ZeroDivisionError):
        decimal = 0.0
    if not (decimal > 1.0 and isfinite(decimal)):
        raise ValueError(f"{echoed(text)} is not in {odds_format} format; an example is {format_odds(2500, odds_format)}")
    return OddsMilli(round(decimal * 1000))


def _decimal(odds_milli: int) -> float:
    return odds_milli / 1000


def _fractional(odds_milli: int) -> str:
    traditional = _TRADITIONAL.get(odds_milli)
    if traditional is not None:
        return traditional
    exact = Fraction(odds_milli - 1000, 1000)
    return f"{exact.numerator}/{exact.denominator}"


def _american(odds_milli: int) -> int:
    return round((odds_milli - 1000) / 10) if odds_milli >= _EVENS else -round(100_000 / (odds_milli - 1000))


def _hong_kong(odds_milli: int) -> float:
    return (odds_milli - 1000) / 1000


def _malay(odds_milli: int) -> float:
    return _hong_kong(odds_milli) if odds_milli <= _EVENS else -round(1000 / (odds_milli - 1000), _DIGITS)


def _indonesian(odds_milli: int) -> float:
    return _hong_kong(odds_milli) if odds_milli >= _EVENS else -round(1000 / (odds_milli - 1000), _DIGITS)


def _percent(odds_milli: int) -> float:
    return round(100_000 / odds_milli, _DIGITS)


def _number(text: str) -> float:
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(text)
    return float(text)


def _parse_fractional(text: str) -> float:
    found = _FRACTION.fullmatch(text)
    return 0.0 if found is None else float(1 + Fraction(int(found[1]), int(found[2])))


def _parse_american(text: str) -> float:
    value = _number(text)
    if abs(value) < 100:  # noqa: PLR2004 - evens are 100
        return 0.0
    return 1 + value / 100 if value > 0 else 1 - 100 / value


def _parse_signed(text: str) -> float:
    """Parse Malay or Indonesian odds: in both, negative odds are -1/(d - 1)."""
    value = _number(text)
    return 1 + value if value > 0 else 1 - 1 / value


def _parse_malay(text: str) -> float:
    return _parse_signed(text) if -1 <= _number(text) <= 1 else 0.0


def _parse_indonesian(text: str) -> float:
    return _parse_signed(text) if abs(_number(text)) >= 1 else 0.0


#: format -> formatter of thousandths
FORMATTERS: Final[dict[str, Callable[[int], float | int | str]]] = {
    "decimal": _decimal,
    "fractional": _fractional,
    "american": _american,
    "hong_kong": _hong_kong,
    "malay": _malay,
    "indonesian": _indonesian,
    "percent": _percent,
}
_PARSERS: Final[dict[str, Callable[[str], float]]] = {
    "decimal": _number,
    "fractional": _parse_fractional,
    "american": _parse_american,
    "hong_kong": lambda text: 1 + _number(text),
    "malay": _parse_malay,
    "indonesian": _parse_indonesian,
    "percent": lambda text: 100 / _number(text.removesuffix("%")),
}
