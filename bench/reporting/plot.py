"""Plot of the rows of a benchmark: one panel for each unit, and one for the attainment of goals."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from bench.reporting.row import Row

_MET: Final = "#2a7f4f"
_MISSED: Final = "#b3402a"
_VALUE: Final = "#3b6ea5"
_INCHES_PER_BAR: Final = 0.35


def goal_attainment(row: Row) -> float | None:
    """Return how far a row meets its goal: 1 is just met, 2 twice as good; None if it has no goal or a goal of 0."""
    value = row.value if row.ratio is None else row.ratio
    if not row.goal or value <= 0 or row.met is None:
        return None
    more_is_better = row.met == (value >= row.goal)
    return value / row.goal if more_is_better else row.goal / value


def write_plot(rows: Sequence[Row], file: Path | BinaryIO) -> None:
    """Write the plot of rows as a PNG.

    Args:
        rows: the measured rows.
        file: the file to write, replaced if it exists; or one that is open.
    """
    import matplotlib as mpl  # noqa: PLC0415 - needed only for plots

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of backend

    units = list(dict.fromkeys(row.unit for row in rows))
    with_goal = [row for row in rows if goal_attainment(row) is not None]
    counts = [sum(row.unit == unit for row in rows) for unit in units] + ([len(with_goal)] if with_goal else [])
    figure, panels = plt.subplots(
        len(counts),
        1,
        figsize=(9, 1.2 * len(counts) + _INCHES_PER_BAR * sum(counts)),
        height_ratios=[count + 1 for count in counts],
        squeeze=False,
        layout="constrained",
    )
    for (axes,), unit in zip(panels, units, strict=False):
        _bars(axes, [(_label(row), row.value, _VALUE) for row in rows if row.unit == unit], unit)
    if with_goal:
        axes = panels[-1][0]
        bars = [(_label(row), goal_attainment(row) or 0.0, _MET if row.met else _MISSED) for row in with_goal]
        _bars(axes, bars, "attainment of the goal (1: just met)")
        axes.axvline(1.0, color="black", linewidth=0.8)
    figure.savefig(file, dpi=110, metadata={"Software": None})
    plt.close(figure)


def _label(row: Row) -> str:
    against = f"\nvs {row.reference}: x{row.ratio:.2f}" if row.reference and row.ratio is not None else ""
    return f"{row.scenario}: {row.metric}{against}"


def _bars(axes: Axes, bars: Sequence[tuple[str, float, str]], title: str) -> None:
    places = range(len(bars))
    axes.barh(places, [value for _, value, _ in bars], color=[colour for _, _, colour in bars])
    axes.set_yticks(places, [label for label, _, _ in bars], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(title)
    for place, (_, value, _) in zip(places, bars, strict=True):
        axes.text(value, place, f" {value:,.0f}" if value >= 100 else f" {value:.3g}", va="center", fontsize=8)
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
