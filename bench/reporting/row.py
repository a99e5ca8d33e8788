"""A row: one result of a benchmark, with its reference and its goal."""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct, kw_only=True):
    """One result.

    `ratio` is the value divided by the value of the reference. `goal` is the ratio to reach, or not to exceed where less is
    better; without a ratio it is the value not to exceed. None where there is no reference or no goal.
    """

    scenario: str
    metric: str
    value: float
    unit: str
    reference: str | None = None
    ratio: float | None = None
    goal: float | None = None
    met: bool | None = None

    def __post_init__(self) -> None:
        # What is true or false is written as a number too: it is read back as one.
        self.value = float(self.value)


def compared(row: Row, reference_value: float) -> Row:
    """Set the ratio of a row to its reference, and whether the goal is met. No-op if the reference is zero. Return the row."""
    if not reference_value:
        return row
    row.ratio = row.value / reference_value
    if row.goal is not None:
        row.met = row.ratio >= row.goal
    return row
