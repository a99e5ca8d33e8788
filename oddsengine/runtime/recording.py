"""Records what feeds receive to files, while they run."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from feeds.errors import FeedError
from feeds.recording.recorder import Recorder
from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.reporting.outages import Outage
from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from oddsengine.runtime.settings import FeedSettings

_WRITE_INTERVAL_S: Final = 0.5
_ROTATE_BYTES: Final = 256_000_000
_ROTATE_S: Final = 3600.0


@asynccontextmanager
async def record(
    feeds: Mapping[str, FeedSettings],
    folder: Path | None,
    rotate_bytes: int = _ROTATE_BYTES,
    rotate_s: float = _ROTATE_S,
) -> AsyncIterator[dict[str, Recorder]]:
    """Write what feeds receive until the context is left. Yields a recorder per feed, to be tapped into it.

    Args:
        feeds: the feeds by name.
        folder: where the files are written; None: nothing is recorded, and no recorders are yielded.
        rotate_bytes: the size, before compression, after which a new file is started.
        rotate_s: the time after which a new file is started.

    Raises:
        FeedError: if the folder can't be written.
    """
    if folder is None:
        yield {}
        return
    started_ms = wall_clock_ms()
    recorders = {
        name: Recorder(folder, name, feed.adapter, feed.config, started_ms, rotate_bytes=rotate_bytes, rotate_s=rotate_s)
        for name, feed in feeds.items()
    }
    if not os.access(folder, os.W_OK):
        raise FeedError(f"{folder} can't be written")
    writing = asyncio.create_task(_write(recorders))
    try:
        yield recorders
    finally:
        await end_tasks([writing])
        for recorder in recorders.values():
            recorder.close()


async def _write(recorders: Mapping[str, Recorder]) -> None:
    outage = Outage("recording not written, retrying", "recording written again")
    while True:
        await asyncio.sleep(_WRITE_INTERVAL_S)
        for name, recorder in recorders.items():
            # Shielded: the last write comes after this task was cancelled, and two writes of a recorder must not overlap.
            write = asyncio.ensure_future(asyncio.to_thread(recorder.write))
            try:
                await asyncio.shield(write)
            except asyncio.CancelledError:
                await asyncio.wait([write])
                raise
            except OSError as error:
                outage.failed(name, error.strerror or str(error))
            else:
                outage.worked(name)
