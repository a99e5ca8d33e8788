"""`oddsengine record`: feeds to recordings, without an engine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from rich.console import Console
from rich.live import Live
from rich.table import Table

from oddsengine.runtime.feed_runner import open_feeds, run_feeds
from oddsengine.runtime.processes.run_file import announced
from oddsengine.runtime.recording import record as record_feeds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from feeds.recording.recorder import Recorder
    from feeds.supervision.supervisor import Supervisor
    from oddsengine.domain.feed_updates import UpdateBatch
    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.settings import FeedSettings

_REFRESH_S: Final = 0.5
_log = structlog.get_logger(__name__)


class _NullSink:
    """Discards updates. Agrees with every verification snapshot, since there is no state to compare it with."""

    def receive(self, batch: UpdateBatch) -> None:
        del batch

    def agrees(self, batch: UpdateBatch) -> bool:
        del batch
        return True


async def record(startup: Startup, feeds: Mapping[str, FeedSettings], folder: Path, rotate_bytes: int, rotate_s: float) -> None:
    """Record feeds until SIGINT or SIGTERM, then close the files and log what they hold; see `runtime.recording.record`."""
    stop = startup.stopping
    console = Console(stderr=True)
    async with (
        open_feeds(feeds, startup) as opened,
        record_feeds(feeds, folder, rotate_bytes, rotate_s) as recorders,
    ):
        taps = {name: recorder.add for name, recorder in recorders.items()}
        async with run_feeds(opened, _NullSink(), taps) as supervisors:
            startup.ready()
            _log.info("recording", feeds=list(feeds), folder=str(folder))
            with announced(""):
                if console.is_terminal:
                    await _show_progress(console, supervisors, recorders, stop)
                await stop.wait()
    for name, recorder in recorders.items():
        files = [str(file) for file in recorder.files]
        _log.info("recorded", feed=name, packets=recorder.packets, bytes=recorder.bytes, files=files)


async def _show_progress(
    console: Console, supervisors: list[Supervisor], recorders: Mapping[str, Recorder], stop: asyncio.Event
) -> None:
    """Show a table of the feeds and their recordings until stopped."""
    with Live(console=console, refresh_per_second=1 / _REFRESH_S, transient=True) as live:
        while not stop.is_set():
            live.update(_progress_table(supervisors, recorders))
            try:
                async with asyncio.timeout(_REFRESH_S):
                    await stop.wait()
            except TimeoutError:
                pass  # refresh


def _progress_table(supervisors: list[Supervisor], recorders: Mapping[str, Recorder]) -> Table:
    table = Table("feed", "state", "packets", "bytes", "files")
    for supervisor in supervisors:
        recorder = recorders[supervisor.name]
        table.add_row(
            supervisor.name,
            f"{supervisor.state.value}: {supervisor.reason}",
            f"{recorder.packets:,}",
            f"{recorder.bytes:,}",
            str(len(recorder.files)),
        )
    return table
