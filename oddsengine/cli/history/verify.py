"""`oddsengine history verify`: the progress bar, and what was found."""

from __future__ import annotations

import time
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from oddsengine.common.clock import iso_time
from oddsengine.common.settings.key_files import load_public_key
from oddsengine.history.rows.command_rows import NUMBER
from oddsengine.history.rows.note_rows import NOTES
from oddsengine.history.verification.checkpoints import digest_of_row, fingerprint
from oddsengine.history.verification.verifier import EVER, Verifier

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from oddsengine.history.database import Database
    from oddsengine.history.rows.tables import GapRow

_EPOCH: Final = date(1970, 1, 1)


async def verify_history(database: Database, key_files: Sequence[Path], since_ms: int | None, until_ms: int | None) -> bool:
    """Verify a history, print what was found, and return whether that is nothing.

    Args:
        database: where it is.
        key_files: files with keys that may have signed checkpoints.
        since_ms: the time to begin with, Unix milliseconds; None for all.
        until_ms: the time to end before; None for all.

    Raises:
        OSError, ValueError: if a key can't be loaded.
    """
    keys = {fingerprint(key): key for key in map(load_public_key, key_files)}
    period = (EVER[0] if since_ms is None else since_ms, EVER[1] if until_ms is None else until_ms)
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TextColumn("entries"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("verifying", total=None)
        verifier = Verifier(database, keys, lambda more: progress.advance(task, more), period)
        progress.update(task, total=await verifier.count())
        began_s = time.monotonic()
        found = await verifier.run()
    seconds = time.monotonic() - began_s
    for problem in found.problems:
        typer.echo(str(problem))
    for gap in found.gaps:
        typer.echo(f"gap of {_stream_of(gap)}, from {_time(gap.after_ms)} to {_time(gap.until_ms)}: {gap.reason}")
    for first, last in _ranges(found.dropped):
        typer.echo(f"not kept: {first} to {last}" if first != last else f"not kept: {first}")
    for row in await database.fetch("SELECT event, reason FROM holds ORDER BY event"):
        typer.echo(f"held: {row['event']}" + (f": {row['reason']}" if row["reason"] else ""))
    checked = (
        f"{found.entries:,} entries with {found.changes:,} changes, {found.records:,} records, {found.commands:,} commands and "
        f"{found.checkpoints:,} checkpoints in {seconds:.1f} s"
    )
    typer.echo(f"{'whole' if not found.problems else 'NOT whole'}: {checked}")
    if not keys:
        typer.echo("no key was given: a chain that was computed anew is not found without checkpoints", err=True)
    elif found.newest is None:
        typer.echo("there is no checkpoint: a chain that was computed anew, or cut off, is not found without")
    else:
        # Those after it can have been deleted: whoever keeps the log elsewhere can tell.
        digest, at = digest_of_row(found.newest), _time(found.newest.at_ms)
        typer.echo(f"the newest checkpoint is number {found.newest.number} of {at}, with the digest {digest}", err=True)
    return not found.problems


def _ranges(days: Sequence[int]) -> list[tuple[date, date]]:
    """Return the first and the last of each run of days since 1970, in order."""
    firsts = [day for place, day in enumerate(days) if not place or days[place - 1] != day - 1]
    lasts = [day for place, day in enumerate(days) if place == len(days) - 1 or days[place + 1] != day + 1]
    return [(_EPOCH + timedelta(first), _EPOCH + timedelta(last)) for first, last in zip(firsts, lasts, strict=True)]


def _stream_of(gap: GapRow) -> str:
    return {NUMBER: "commands", NOTES: "notes"}.get(gap.shard, f"shard {gap.shard}")


def _time(at_ms: int) -> str:
    return iso_time(at_ms, "milliseconds") if at_ms else "the beginning"
