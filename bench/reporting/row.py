"""A row: one figure of a benchmark, and how it compares with its reference and goal."""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct, kw_only=True):
    """One figure.

    `ratio` is value over the reference's; `goal` is the least ratio wanted (of what should be little the most), or where there is
    no ratio the most of the value; None where none is set.
    """

    scenario: str
    metric: str
    value: float
    unit: str
    reference: str | None = None
    ratio: float | None = None
    goal: float | None = None
    met: bool | None = None


def compared(row: Row, reference_value: float) -> Row:
    """Fill in a row's ratio to its reference, and whether the goal is met."""
    row.ratio = row.value / reference_value
    if row.goal is not None:
        row.met = row.ratio >= row.goal
    return row
