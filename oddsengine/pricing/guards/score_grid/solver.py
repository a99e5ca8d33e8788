"""Linear programs over shares of 1, solved by HiGHS."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import highspy
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: How exactly the solver keeps constraints.
_FEASIBILITY: Final = 1e-10


class Optimum(NamedTuple):
    """The optimum of a linear program.

    Attributes:
        outcome: `unsolved` if the solver gave up or the program has no bounds.
        value: the maximum.
        variables: where it is taken.
        prices: by how much the maximum grows for each unit of room in a constraint, none of them negative.
    """

    outcome: Literal["optimal", "infeasible", "unsolved"]
    value: float
    variables: Floats
    prices: Floats


@cache
def _solver() -> highspy.Highs:
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    options: dict[str, bool | float | int | str] = {
        "output_flag": False,
        # Programs this small are solved before presolving or a second thread would pay.
        "presolve": "off",
        "parallel": "off",
        "threads": 1,
        "primal_feasibility_tolerance": _FEASIBILITY,
        "dual_feasibility_tolerance": _FEASIBILITY,
    }
    for name, value in options.items():
        solver.setOptionValue(name, value)
    return solver


def maximise(gains: Floats, at_most_zero: Floats, shares: int) -> Optimum:
    """Maximise a sum of variables of which the first `shares` are parts of 1 and the others have no bounds.

    Args:
        gains: what one unit of each variable adds to the sum.
        at_most_zero: constraints, a row each: the factor of each variable in a sum that is not to be positive.
        shares: how many variables are shares.
    """
    rows, size = at_most_zero.shape
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = size, rows + 1
    program.col_cost_ = -gains
    lower = np.zeros(size)
    lower[shares:] = -highspy.kHighsInf
    program.col_lower_, program.col_upper_ = lower, np.full(size, highspy.kHighsInf)
    row_lower, row_upper = np.full(rows + 1, -highspy.kHighsInf), np.zeros(rows + 1)
    row_lower[rows] = row_upper[rows] = 1.0
    program.row_lower_, program.row_upper_ = row_lower, row_upper
    factors = np.vstack((at_most_zero, np.arange(size) < shares))
    program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    program.a_matrix_.start_ = np.arange(rows + 2) * size
    program.a_matrix_.index_ = np.tile(np.arange(size), rows + 1)
    program.a_matrix_.value_ = np.asarray(factors.ravel(), dtype=np.float64)
    solver = _solver()
    solver.passModel(program)
    solver.run()
    status = solver.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        is_infeasible = status == highspy.HighsModelStatus.kInfeasible
        return Optimum("infeasible" if is_infeasible else "unsolved", 0.0, np.zeros(size), np.zeros(rows))
    solution = solver.getSolution()
    value = -solver.getInfo().objective_function_value
    return Optimum("optimal", value, np.array(solution.col_value), -np.array(solution.row_dual[:rows]))
