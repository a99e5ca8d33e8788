"""Prints a comparison: a table for each profile, or JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from oddsengine.repricing.report import Figures, Line, Report

#: Where the width of the terminal is not known.
_WIDTH: Final = 170
_NONE: Final = "-"


def to_json(report: Report) -> str:
    """Return a comparison as JSON."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def print_tables(report: Report) -> None:
    """Print a comparison."""
    console = Console(width=None if Console().is_terminal else _WIDTH)
    period = f"{_time(report.from_ms)} to {_time(report.to_ms)}"
    unknown = f", {report.unknown_s:,.0f} s of which nobody knows what was published" if report.unknown_s else ""
    console.print(f"{period}{unknown}: then -> with the new config", highlight=False)
    for profile in dict.fromkeys(line.profile for line in report.lines):
        lines = [line for line in report.lines if line.profile == profile]
        console.print(_table(profile, lines))
        _print_details(console, lines)


def _table(profile: str, lines: list[Line]) -> Table:
    table = Table(title=f"profile {profile}", title_justify="left")
    table.add_column("type", no_wrap=True)
    for heading in ("markets", "margin", "price", "largest", "suspended", "changes", "hold", "settled"):
        table.add_column(heading, justify="right")
    for line in lines:
        price = line.price
        mean = _NONE if price.mean is None else f"{price.mean:+.2%} ({price.mean_absolute or 0:.2%})"
        table.add_row(
            line.type,
            _moved(line.markets, "{:,.0f}"),
            _margin(line.book_sum),
            mean,
            _NONE if price.largest is None else f"{price.largest.change:+.1%}",
            _moved(line.suspended, "{:.2%}"),
            _moved(line.changes, "{:,.0f}"),
            _moved(line.hold, "{:.2%}"),
            f"{line.hold_markets:,}",
        )
    return table


def _print_details(console: Console, lines: list[Line]) -> None:
    """Print what a table has no room for: of all market types, why they are suspended, and where a price differs most."""
    of_all = lines[0]
    shares = {name: of_all.reasons[name] for name in of_all.reasons}
    found = dict.fromkeys(reason for each in shares.values() for reason in each)
    reasons = ", ".join(f"{reason} {shares['then'].get(reason, 0):.2%} -> {shares['new'].get(reason, 0):.2%}" for reason in found)
    if reasons:
        console.print(f"suspended: {reasons}", highlight=False)
    if (largest := of_all.price.largest) is not None:
        where = f"{largest.market} {largest.selection} at {_time(largest.at_ms)}"
        console.print(f"largest change: {where}: {largest.then:g} -> {largest.new:g}", highlight=False)
    if of_all.hold_while_open.then is not None or of_all.hold_while_open.new is not None:
        console.print(f"hold whenever open: {_moved(of_all.hold_while_open, '{:.2%}')}", highlight=False)


def _moved(figures: Figures, form: str) -> str:
    then, new = (_NONE if each is None else form.format(each) for each in (figures.then, figures.new))
    return then if then == new else f"{then} -> {new}"


def _margin(book_sum: Figures) -> str:
    if book_sum.then is None or book_sum.new is None:
        return _NONE
    then, new = (f"{each - 1:.2%}" for each in (book_sum.then, book_sum.new))
    return then if then == new else f"{then} -> {new}"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(" ", "seconds").removesuffix("+00:00")
