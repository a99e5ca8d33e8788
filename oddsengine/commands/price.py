"""`oddsengine price`: from quoted odds to fair probabilities to our odds, every step shown."""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from oddsengine.pricing import fair_probabilities, quote_odds

if TYPE_CHECKING:
    from oddsengine.markets.ladders import Ladder


def price(odds: list[float], *, devig: str, margin: str, book_sum: float, winners: int, ladder: Ladder) -> dict[str, Any]:
    """Price a market from decimal odds.

    Args:
        odds: decimal odds of every outcome.
        devig: the method that removes the margin in them.
        margin: the method that puts ours on.
        book_sum: the sum of our inverse odds.
        winners: how many outcomes win.
        ladder: what prices are rounded down onto.

    Raises:
        MarginError: if a method has no answer for these numbers.
    """
    fair = fair_probabilities(odds, devig, winners)
    quoted = quote_odds(fair, book_sum, margin, winners)
    prices = [ladder.at_or_below(value * 1000 + 1e-9) for value in quoted]
    return {
        "book_sum_in": fsum(1 / value for value in odds),
        "book_sum_asked": book_sum,
        "book_sum_out": fsum(1000 / value for value in prices if value is not None),
        "outcomes": [
            {"odds": given, "implied": 1 / given, "fair": probability, "quoted": ours, "price": value and value / 1000}
            for given, probability, ours, value in zip(odds, fair, quoted, prices, strict=True)
        ],
    }


def show(result: dict[str, Any], *, devig: str, margin: str, ladder: str) -> None:
    """Print a result as a table."""
    table = Table(title=f"{devig} out, {margin} in, {ladder} ladder", title_justify="left")
    for heading in ("odds given", "implied", "fair", "fair odds", "quoted", "price"):
        table.add_column(heading, justify="right")
    for outcome in result["outcomes"]:
        price_text = "none" if outcome["price"] is None else f"{outcome['price']:g}"
        table.add_row(
            f"{outcome['odds']:g}",
            f"{outcome['implied']:.4%}",
            f"{outcome['fair']:.4%}",
            f"{1 / outcome['fair']:.4f}",
            f"{outcome['quoted']:.4f}",
            price_text,
        )
    console = Console()
    console.print(table)
    console.print(
        f"book sum: {result['book_sum_in']:.4f} given, {result['book_sum_asked']:.4f} asked, "
        f"{result['book_sum_out']:.4f} after the ladder",
        highlight=False,
    )
