"""Comparison of two checkouts: the same scenario alternately from both, each with its own interpreter.

The speed of a machine drifts between runs by more than most changes cost. Alternate runs see the same drift, so that the ratio of
their medians shows the change.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from bench.reporting.progress import report_progress
from bench.reporting.row import Row

if TYPE_CHECKING:
    from collections.abc import Sequence

_HERE: Final = Path(__file__).parents[1]
_decode_rows = msgspec.json.Decoder(list[Row]).decode


class RunFailed(Exception):
    """A scenario ended with an error in one of the checkouts."""

    def __init__(self, checkout: Checkout, scenario: str, code: int) -> None:
        super().__init__(f"`{scenario}` in {checkout.folder} ended with code {code}")


class Checkout(NamedTuple):
    """A checkout and the interpreter that runs it."""

    folder: Path
    python: Path

    def measure(self, scenario: str) -> list[Row]:
        """Run a scenario, given as on the command line. Return its rows."""
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "rows.json"
            command = [str(self.python), "-m", "bench", *shlex.split(scenario), "--json", str(output)]
            # An editable install may point to another checkout; the path of this one comes first.
            environment = {**os.environ, "PYTHONPATH": str(self.folder)}
            done = subprocess.run(command, cwd=self.folder, env=environment, stdout=subprocess.DEVNULL, check=False)
            if done.returncode or not output.exists():
                raise RunFailed(self, scenario, done.returncode)
            return _decode_rows(output.read_bytes())


def run(base: Path, scenarios: Sequence[str], rounds: int) -> list[Row]:
    """Run each scenario in turns from both checkouts.

    Args:
        base: the checkout to compare with; its interpreter is `.venv/bin/python`.
        scenarios: scenarios with their options, as on the command line of `python -m bench`.
        rounds: runs of each scenario from each checkout.

    Returns:
        The median of each row here, with the median in the base as its reference.

    Raises:
        RunFailed: if a scenario ends with an error.
    """
    checkouts = (Checkout(base.resolve(), base.resolve() / ".venv" / "bin" / "python"), Checkout(_HERE, Path(sys.executable)))
    rows: list[Row] = []
    for scenario in scenarios:
        runs: tuple[list[list[Row]], list[list[Row]]] = ([], [])
        for number in range(rounds):
            # The order alternates, so that neither checkout always runs after the other.
            for side in (0, 1) if number % 2 == 0 else (1, 0):
                report_progress(f"{scenario}: run {number + 1} of {rounds} in {checkouts[side].folder}")
                runs[side].append(checkouts[side].measure(scenario))
        rows += compare_runs(*runs)
    return rows


def compare_runs(base: Sequence[Sequence[Row]], ours: Sequence[Sequence[Row]]) -> list[Row]:
    """Compare the rows of several runs from two checkouts.

    Rows are matched by scenario, metric, unit and reference. Where the checkouts word their rows differently, they are matched by
    position, if both have rows of the same units in the same order.

    Args:
        base: the rows of each run of the base.
        ours: the rows of each run of this checkout.

    Returns:
        One row for each that both have, with the median of our values and the ratio of the medians. Where a metric has several
        references, it is shown once.
    """
    by_position = all([row.unit for row in rows] == [row.unit for row in ours[0]] for rows in (*base, *ours))
    compared: dict[tuple[str, str, str], Row] = {}
    for place, row in enumerate(ours[0]):
        ours_values = [_find(rows, row, place, by_position=by_position) for rows in ours]
        base_values = [_find(rows, row, place, by_position=by_position) for rows in base]
        if None in ours_values or None in base_values:
            continue
        value = median(each for each in ours_values if each is not None)
        reference_value = median(each for each in base_values if each is not None)
        compared[row.scenario, row.metric, row.unit] = Row(
            scenario=row.scenario,
            metric=row.metric,
            value=value,
            unit=row.unit,
            reference=f"base: {reference_value:,.4g}",
            ratio=value / reference_value if reference_value else None,
        )
    return list(compared.values())


def _find(rows: Sequence[Row], wanted: Row, place: int, *, by_position: bool) -> float | None:
    if by_position:
        return rows[place].value
    key = (wanted.scenario, wanted.metric, wanted.unit, wanted.reference)
    return next((row.value for row in rows if (row.scenario, row.metric, row.unit, row.reference) == key), None)
