"""Decimal odds, held as integers in thousandths (2.05 is 2050) so that equality and ladders are exact."""

from __future__ import annotations

from typing import Final, NewType

OddsMilli = NewType("OddsMilli", int)

#: Decimal odds of 1 return the stake and nothing else: the least a price can mean.
EVEN_RETURN: Final = OddsMilli(1000)


def to_milli(decimal_odds: float) -> OddsMilli:
    """Round decimal odds to thousandths.

    Args:
        decimal_odds: decimal odds, at least 1 (the stake included).

    Raises:
        ValueError: if the odds are under 1 or not a finite number.
    """
    if not 1.0 <= decimal_odds < float("inf"):
        raise ValueError(f"decimal odds are a finite number of at least 1, not {decimal_odds!r}")
    return OddsMilli(round(decimal_odds * 1000))


def to_decimal(odds_milli: int) -> float:
    """Turn thousandths into the decimal odds that JSON carries."""
    return odds_milli / 1000
