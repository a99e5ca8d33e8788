"""The table of docs/faults.md, made of the rows of `python -m bench failover`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.reporting.row import Row

#: the columns, and how the metrics begin that they show
_COLUMNS: Final = {
    "wrong prices open": ("wrong prices open for, median", "wrong prices open for, worst"),
    "all live again within": ("all live again within, median", "all live again within, worst"),
}


def table_of(rows: Iterable[Row]) -> str:
    """Return a Markdown table with a line for each fault: median and worst of the seconds, and the goal of both."""
    faults: dict[str, dict[str, Row]] = {}
    for row in rows:
        fault, _, metric = row.metric.rpartition(": ")
        faults.setdefault(fault, {})[metric] = row
    lines = ["| fault | " + " | ".join(f"{column}: median, worst | goal" for column in _COLUMNS) + " | violations |"]
    lines.append("| --- " * (2 + 2 * len(_COLUMNS)) + "|")
    for fault, metrics in faults.items():
        cells = [fault]
        for beginnings in _COLUMNS.values():
            found = [row for beginning in beginnings for metric, row in metrics.items() if metric.startswith(beginning)]
            cells += [", ".join(_seconds(row) for row in found), f"{found[0].goal:g} s"]
        lines.append(f"| {' | '.join(cells)} | {metrics['violations'].value:g} |")
    return "\n".join(lines) + "\n"


def _seconds(row: Row) -> str:
    missed = "" if row.met else " (missed)"
    return f"{row.value:.1f} s{missed}" if row.value else "0 s"
