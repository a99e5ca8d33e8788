"""`oddsengine history export`: the progress bar, and what was written."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from oddsengine.history.exporting.export import Exporter

if TYPE_CHECKING:
    from pathlib import Path

    from oddsengine.history.database import Database


async def export_history(database: Database, folder: Path, period: tuple[int, int], sport: str | None) -> None:
    """Export the prices of a time, and print what was written.

    Args:
        database: where the history is.
        folder: where files are written.
        period: the first time, and that to end before, Unix milliseconds.
        sport: the only sport; None for all.

    Raises:
        OSError: if a file can't be written.
    """
    columns = (TextColumn("exporting"), BarColumn(), MofNCompleteColumn(), TextColumn("changes"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("exporting", total=None)
        exporter = Exporter(database, folder, period, sport, lambda more: progress.advance(task, more))
        progress.update(task, total=await exporter.count())
        began_s = time.monotonic()
        exported = await exporter.run()
    for file in exported.files:
        typer.echo(file)
    files = "1 file" if len(exported.files) == 1 else f"{len(exported.files):,} files"
    typer.echo(f"{exported.rows:,} rows in {files}, in {time.monotonic() - began_s:.1f} s", err=True)
    if exported.unreadable:
        typer.echo(f"left out: {exported.unreadable:,} rows of the history that can't be read", err=True)
