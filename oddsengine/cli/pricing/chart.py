"""A priced market as a chart in the terminal: what each step makes of each outcome's probability."""

from __future__ import annotations

from typing import Any, Final

from rich.bar import Bar
from rich.console import Console
from rich.table import Table

#: The steps, with the field of an outcome that each is in, whether that is odds, and the colour of its bar.
_STEPS: Final = (
    ("given", "odds", True, "red"),
    ("fair", "fair", False, "green"),
    ("quoted", "quoted", True, "yellow"),
    ("price", "price", True, "blue"),
)
#: Labels and figures take so many columns.
_MARGIN: Final = 40
_MIN_WIDTH: Final = 10


def print_chart(result: dict[str, Any], console: Console | None = None) -> None:
    """Print a result of `price`, a bar for each step: the longer, the likelier the outcome, or the shorter the odds.

    Args:
        result: the result.
        console: where to; None for the standard output.
    """
    console = console or Console()
    rows = [
        (number, step, _probability(outcome[field], is_odds=is_odds), colour)
        for number, outcome in enumerate(result["outcomes"], 1)
        for step, field, is_odds, colour in _STEPS
    ]
    longest = max(probability for _, _, probability, _ in rows)
    table = Table(box=None, pad_edge=False, show_header=False)
    for justify in ("right", "left", "right", "right", "left"):
        table.add_column(justify=justify, no_wrap=True)
    width = max(_MIN_WIDTH, console.width - _MARGIN)
    for number, step, probability, colour in rows:
        odds = f"{1 / probability:.2f}" if probability else "none"
        bar = Bar(longest, 0, probability, width=width, color=colour)
        table.add_row(f"{number}" if step == "given" else "", step, odds, f"{probability:.2%}", bar)
    console.print(table)
    sums = ", ".join(f"{result[field]:.4f} {word}" for field, word in (("book_sum_in", "given"), ("book_sum_out", "offered")))
    console.print(f"book sum: {sums}; the bars of all outcomes together have that length", highlight=False, soft_wrap=True)


def _probability(value: float | None, *, is_odds: bool) -> float:
    if value is None:
        return 0.0
    return 1 / value if is_odds else value
