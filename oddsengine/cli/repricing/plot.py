"""Plots a comparison: margins, prices, suspensions and hold by market type, then and now side by side."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes

    from oddsengine.repricing.report import Line, Report

_SUFFIXES: Final = (".png", ".svg", ".pdf")
_THEN: Final = "#8a8f98"
_NEW: Final = "#3b6ea5"
_INCHES_PER_TYPE: Final = 0.5
#: The market types of a profile that are plotted: those that were open for longest.
_MAX_TYPES: Final = 20


def require_matplotlib(file: Path) -> None:
    """Check that a plot can be written.

    Raises:
        ValueError: if not, with what to do.
    """
    if file.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"{file}: a plot is written to a file that ends with {', '.join(_SUFFIXES)}")
    if not file.absolute().parent.is_dir():
        raise ValueError(f"{file}: there is no such folder")
    if find_spec("matplotlib") is None:
        raise ValueError("--plot needs matplotlib, which is not installed: pip install matplotlib, or leave --plot out")


def write_plot(report: Report, file: Path) -> None:
    """Write the plot of a comparison, one row of panels for each profile.

    Args:
        report: the comparison.
        file: the file to write; replaced if it exists.

    Raises:
        OSError: if it can't be written.
    """
    import matplotlib as mpl  # noqa: PLC0415 - needed only for plots

    mpl.use("Agg")
    # What an SVG names its parts by is random otherwise.
    mpl.rcParams["svg.hashsalt"] = "oddsengine"
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of backend

    profiles = list(dict.fromkeys(line.profile for line in report.lines))
    rows = [_chosen([line for line in report.lines if line.profile == profile]) for profile in profiles]
    heights = [1 + _INCHES_PER_TYPE * len(lines) for lines in rows]
    figure, panels = plt.subplots(
        len(rows),
        len(_PANELS),
        figsize=(15, sum(heights)),
        height_ratios=heights,
        squeeze=False,
        sharey="row",
        layout="constrained",
    )
    for profile, lines, axes in zip(profiles, rows, panels, strict=True):
        for panel, (title, figures) in zip(axes, _PANELS.items(), strict=True):
            _bars(panel, [figures(line) for line in lines])
            panel.set_xlabel(f"{title}, %")
        axes[0].set_yticks(range(len(lines)), [line.type for line in lines], fontsize=8)
        axes[0].invert_yaxis()
        axes[0].set_title(f"profile {profile}", loc="left", fontsize=10)
        axes[-1].legend(("then", "new"), fontsize=8)
    metadata = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[file.suffix.lower()]
    figure.savefig(file, dpi=110, metadata=metadata)
    plt.close(figure)


def _chosen(lines: list[Line]) -> list[Line]:
    of_all, *of_types = lines
    longest = sorted(of_types, key=lambda line: -line.both_open_s)[:_MAX_TYPES]
    return [of_all, *(line for line in of_types if line in longest)]


def _margin(line: Line) -> tuple[float | None, float | None]:
    then, new = line.book_sum.then, line.book_sum.new
    return None if then is None else then - 1, None if new is None else new - 1


_PANELS: Final[dict[str, Callable[[Line], tuple[float | None, float | None]]]] = {
    "margin": _margin,
    "price: mean change": lambda line: (None, line.price.mean),
    "suspended": lambda line: (line.suspended.then, line.suspended.new),
    "hold of equal stakes": lambda line: (line.hold.then, line.hold.new),
}


def _bars(panel: Axes, figures: list[tuple[float | None, float | None]]) -> None:
    places = range(len(figures))
    for side, (shift, colour) in enumerate(((-0.2, _THEN), (0.2, _NEW))):
        values = [(each[side] or 0.0) * 100 for each in figures]
        panel.barh([place + shift for place in places], values, height=0.38, color=colour)
        for place, each in zip(places, figures, strict=True):
            if (value := each[side]) is not None:
                side_of_bar = "left" if value >= 0 else "right"
                panel.text(value * 100, place + shift, f" {value:.2%} ", va="center", ha=side_of_bar, fontsize=7)
    panel.margins(x=0.2)
    panel.spines[["top", "right"]].set_visible(False)
