"""Output of a benchmark: a table, and with `--json` the rows for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.table import Table

from bench.reporting.plot import write_plot

if TYPE_CHECKING:
    from pathlib import Path

    from bench.reporting.row import Row


_FILE_WIDTH = 160


def shown(row: Row) -> tuple[str, ...]:
    """Return the cells of a row."""
    return (
        row.scenario,
        row.metric,
        f"{row.value:,.0f}" if row.value >= 100 else f"{row.value:.3g}",
        row.unit,
        row.reference or "",
        "" if row.ratio is None else f"{row.ratio:.2f}",
        "" if row.goal is None else f"{row.goal:g}",
        "" if row.met is None else ("yes" if row.met else "NO"),
    )


def show(rows: list[Row], json_file: Path | None, plot_file: Path | None = None) -> None:
    """Print rows as a table; also write them as JSON and as a plot if files are given."""
    table = Table()
    for heading in ("scenario", "metric", "value", "unit", "reference", "ratio", "goal", "met"):
        table.add_column(heading, justify="right" if heading in {"value", "ratio", "goal"} else "left")
    for row in rows:
        table.add_row(*shown(row))
    console = Console()
    # A file or a pipe has no width.
    (console if console.is_terminal else Console(width=_FILE_WIDTH)).print(table)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_bytes(msgspec.json.format(msgspec.json.encode(rows)))
    if plot_file is not None:
        plot_file.parent.mkdir(parents=True, exist_ok=True)
        write_plot(rows, plot_file)
