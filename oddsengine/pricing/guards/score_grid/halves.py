"""Winning conditions on the results at half-time and at full time, which half-time/full-time markets combine.

The two results are a pair of numbers, 1 for the home side, 0 for a draw and -1 for the away side, in place of the goals of both
sides: a grid of nine points, on which those of `conditions` are evaluated as on scores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.domain.events import Score
from oddsengine.pricing.guards.score_grid.conditions import SPORTS, Condition, period_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.domain.feed_updates import MarketDefinition

#: The period of the groups of such conditions.
HALVES: Final = "h1+ft"
#: Their minimal pair of results, in place of a score.
MIN_RESULTS: Final = Score(-1, -1)
#: The type that combines both; without one, results of different periods can't contradict each other.
COMBINED: Final = "half_time_full_time"
#: period -> the factors of its result
_AXES: Final[Mapping[str, tuple[int, int]]] = {"h1": (1, 0), "ft": (0, 1)}
#: A handicap up to here depends on the result alone, not on the margin.
_MAX_LINE: Final = 0.5


def half_conditions(definition: MarketDefinition, sport: str, conditions: Mapping[str, Condition]) -> dict[str, Condition]:
    """Return the conditions of a market's selections on both results, by key; empty where it does not depend on them.

    Args:
        definition: the market.
        sport: the sport of its event.
        conditions: the conditions of its selections on the score.
    """
    if definition.type == COMBINED:
        is_known = sport in SPORTS and definition.unit is None
        keys = [str(selection.key) for selection in definition.selections]
        return {key: _PAIRS[key] for key in keys if key in _PAIRS} if is_known else {}
    axis = _AXES.get(period_of(definition))
    if axis is None:
        return {}
    return {key: moved for key, condition in conditions.items() if (moved := _on_axis(condition, axis)) is not None}


def _on_axis(condition: Condition, axis: tuple[int, int]) -> Condition | None:
    """Return a condition on a goal difference as one on a result, None where the margin or the goals count."""
    sign = condition.home
    if condition.kind not in {"linear", "level"} or sign == 0 or condition.away != -sign or abs(condition.line) > _MAX_LINE:
        return None
    returned = None
    if condition.returned is not None and (returned := _on_axis(condition.returned, axis)) is None:
        return None
    return condition._replace(home=sign * axis[0], away=sign * axis[1], returned=returned)


def _result(result: str, axis: tuple[int, int]) -> Condition:
    if result == "draw":
        return Condition("level", *axis)
    sign = 1 if result == "home" else -1
    return Condition("linear", sign * axis[0], sign * axis[1], -0.5)


_RESULTS: Final = ("home", "draw", "away")
_PAIRS: Final[Mapping[str, Condition]] = {
    f"{first}_{last}": Condition("all", parts=(_result(first, _AXES["h1"]), _result(last, _AXES["ft"])))
    for first in _RESULTS
    for last in _RESULTS
}
