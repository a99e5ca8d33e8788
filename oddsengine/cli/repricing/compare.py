"""Runs a comparison with a progress bar."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console

from feeds.recording.reader import Recordings
from oddsengine.cli.replay import replay_progress
from oddsengine.runtime.repricing.reprice import Reprice

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from oddsengine.repricing.report import Report
    from oddsengine.runtime.repricing.archived_offer import ArchivedOffer
    from oddsengine.runtime.repricing.reprice import Plan
    from oddsengine.runtime.settings import Settings

#: How many recorded times pass between two updates of the progress bar.
_PROGRESS_EVERY: Final = 500


@contextmanager
def _opened(paths: list[Path], plan: Plan) -> Iterator[Reprice]:
    console = Console(stderr=True)
    with Recordings(paths) as recordings, replay_progress(console) as progress:
        task = progress.add_task("pricing", total=recordings.total_bytes, note="")
        passed = 0

        def show(_: int) -> None:
            nonlocal passed
            passed += 1
            if passed % _PROGRESS_EVERY == 0:
                progress.update(task, completed=recordings.read_bytes)

        yield Reprice(plan, recordings, lambda text: console.print(text, highlight=False, soft_wrap=True), show)


def compare_with_settings(paths: list[Path], plan: Plan, settings: Settings) -> Report:
    """Compare what two configs publish of recordings; see `Reprice.with_settings`."""
    with _opened(paths, plan) as opened, Recordings(paths) as again:
        return asyncio.run(opened.with_settings(settings, again))


async def compare_with_history(paths: list[Path], plan: Plan, archived: ArchivedOffer) -> Report:
    """Compare what a config publishes of recordings with a history; see `Reprice.with_history`."""
    with _opened(paths, plan) as opened:
        return await opened.with_history(archived)
