"""`oddsengine record`: what feeds receive, to files; and the writing of it beside a running engine."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog
from rich.console import Console
from rich.live import Live
from rich.table import Table

from feeds.recording.recorder import Recorder
from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.signals import stop_event
from oddsengine.common.tasks import end_tasks
from oddsengine.runtime.feed_runner import feeding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from feeds.supervision.supervisor import Supervisor
    from oddsengine.domain.feed_updates import UpdateBatch
    from oddsengine.runtime.settings import FeedSettings

_WRITE_EVERY_S: Final = 0.5
_SHOW_EVERY_S: Final = 0.5
#: When another file is begun, where nobody says otherwise.
ROTATE_BYTES: Final = 256_000_000
ROTATE_S: Final = 3600.0
_log = structlog.get_logger(__name__)


class _Nowhere:
    """Takes what feeds say and keeps none of it; a sample can't be held against anything, and is believed."""

    def receive(self, batch: UpdateBatch) -> None:
        del batch

    def agrees(self, batch: UpdateBatch) -> bool:
        del batch
        return True


@asynccontextmanager
async def recording(
    feeds: Mapping[str, FeedSettings], folder: Path | None, rotate_bytes: int, rotate_s: float
) -> AsyncIterator[dict[str, Recorder]]:
    """Write what feeds receive for as long as the context lasts; no recorders where no folder is given.

    Args:
        feeds: by name.
        folder: where the files go.
        rotate_bytes: after how many bytes, before compression, another file is begun.
        rotate_s: after how many seconds.
    """
    if folder is None:
        yield {}
        return
    began_ms = wall_clock_ms()
    recorders = {
        name: Recorder(folder, name, feed.adapter, feed.config, began_ms, rotate_bytes=rotate_bytes, rotate_s=rotate_s)
        for name, feed in feeds.items()
    }
    writing = asyncio.create_task(_write(recorders))
    try:
        yield recorders
    finally:
        await end_tasks([writing])
        for recorder in recorders.values():
            recorder.close()


async def _write(recorders: Mapping[str, Recorder]) -> None:
    while True:
        await asyncio.sleep(_WRITE_EVERY_S)
        for name, recorder in recorders.items():
            # Shielded: two writes of one recorder may not overlap, and the last one comes after this was cancelled.
            writing = asyncio.ensure_future(asyncio.to_thread(recorder.write))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await asyncio.wait([writing])
                raise
            except OSError as error:
                _log.error("recording not written, trying again", feed=name, error=str(error))


async def record(feeds: Mapping[str, FeedSettings], folder: Path, rotate_bytes: int, rotate_s: float) -> None:
    """Record feeds until SIGINT or SIGTERM, then end the files and say what is in them; see `recording`."""
    stop = stop_event()
    console = Console(stderr=True)
    async with recording(feeds, folder, rotate_bytes, rotate_s) as recorders:
        taps = {name: recorder.add for name, recorder in recorders.items()}
        async with feeding(feeds, _Nowhere(), taps) as supervisors:
            _log.info("recording", feeds=list(feeds), folder=str(folder))
            if console.is_terminal:
                with Live(console=console, refresh_per_second=1 / _SHOW_EVERY_S, transient=True) as live:
                    while not stop.is_set():
                        live.update(_shown(supervisors, recorders))
                        await _wait(stop)
            else:
                await stop.wait()
    for name, recorder in recorders.items():
        files = [str(file) for file in recorder.files]
        _log.info("recorded", feed=name, packets=recorder.packets, bytes=recorder.bytes, files=files)


async def _wait(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(_SHOW_EVERY_S):
            await stop.wait()
    except TimeoutError:
        pass  # time to show


def _shown(supervisors: list[Supervisor], recorders: Mapping[str, Recorder]) -> Table:
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
