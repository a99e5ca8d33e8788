"""The results between two lines of a side, from those of both: returned, or half won or half lost.

A half line has no tie, so a side that covers `w + 0.5` and not `w - 0.5` has hit the whole line `w` exactly: stakes on `w` are
returned, and half of a stake on the quarter lines beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.results import HALF_LOST, HALF_WON, VOID, SelectionResult

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.domain.taxonomy import SelectionStatus


def asian_result(line: float, statuses: Mapping[float, SelectionStatus]) -> SelectionResult | None:
    """Return the result of a won or lost line where it is more than its status says, None where the status says everything.

    Args:
        line: the side's line; a multiple of 0.25.
        statuses: the statuses of all of the side's lines in this market, this one among them.

    Returns:
        a quarter line whose neighbours are not all known has a `void_factor` of None.
    """
    status = statuses.get(line)
    quarters = round(line * 4) % 4
    if status not in {"winner", "loser"} or quarters == 2:  # noqa: PLR2004 - a half line, which has no tie
        return None
    whole = round(line)
    around = statuses.get(whole + 0.5), statuses.get(whole - 0.5)
    if not all(each in {"winner", "loser"} for each in around):
        return None if quarters == 0 else SelectionResult("winner" if status == "winner" else "loser", None)
    if around != ("winner", "loser"):
        return None
    if quarters == 0:
        return VOID
    return HALF_WON if line > whole else HALF_LOST
