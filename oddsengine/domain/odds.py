"""Decimal odds as integers in thousandths (2.05 is 2050), so that comparisons and ladders are exact."""

from __future__ import annotations

from typing import NewType

from oddsengine.common.excerpts import echoed

OddsMilli = NewType("OddsMilli", int)


def to_milli(decimal_odds: float) -> OddsMilli:
    """Round decimal odds to thousandths.

    Args:
        decimal_odds: at least 1, stake included.

    Raises:
        ValueError: if the odds are below 1 or not finite.
    """
    if not 1.0 <= decimal_odds < float("inf"):
        raise ValueError(f"decimal odds must be a finite number of at least 1, not {echoed(decimal_odds)}")
    return OddsMilli(round(decimal_odds * 1000))


def to_decimal(odds_milli: int) -> float:
    """Return thousandths as decimal odds."""
    return odds_milli / 1000
