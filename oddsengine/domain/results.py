"""Results: what became of a selection, and how much of a stake on it is returned and of a win on it is paid.

At odds `o` a stake of 1 is worth `void_factor + (1 - void_factor) * dead_heat_factor * o` on a winner, `void_factor` on a loser
and 1 on a void selection. docs/protocol.md has worked examples.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.domain.taxonomy import SelectionStatus

#: `placed` is a runner of an each-way market that did not win but was placed: the place part of the bet wins.
Outcome = Literal["winner", "loser", "void", "placed"]


class SelectionResult(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The result of a selection.

    Attributes:
        outcome: what became of it; None once an earlier result was taken back.
        void_factor: the share of the stake that is returned, 0 to 1; None if the provider does not say.
        dead_heat_factor: the share of the win that is paid, 0 to 1; None if the provider does not say.
    """

    outcome: Outcome | None
    void_factor: float | None = 0.0
    dead_heat_factor: float | None = 1.0


WON: Final = SelectionResult("winner")
LOST: Final = SelectionResult("loser")
PLACED: Final = SelectionResult("placed")
VOID: Final = SelectionResult("void", 1.0)
HALF_WON: Final = SelectionResult("winner", 0.5)
HALF_LOST: Final = SelectionResult("loser", 0.5)
#: An earlier result was taken back.
TAKEN_BACK: Final = SelectionResult(None, None, None)

_FULL: Final[Mapping[SelectionStatus, SelectionResult]] = {"winner": WON, "loser": LOST, "void": VOID, "placed": PLACED}


def result_of_status(status: SelectionStatus) -> SelectionResult | None:
    """Return the result that a status means where the source states no other, None for a status without a result."""
    return _FULL.get(status)


def dead_heat(winners: int, places: int) -> SelectionResult:
    """Return the result of each winner; where there are more than places, some have finished level.

    The rule of British bookmaking: the stake is divided by the number that tie, times the places they tie for. With several
    places only some of the winners tie, and which ones is not known from their number.
    """
    if winners <= max(places, 1):
        return WON
    return SelectionResult("winner", 0.0, 1 / winners if places == 1 else None)
