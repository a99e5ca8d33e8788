"""Notes for the history what an engine does, where there is a history."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from oddsengine.common.clock import CLOCK
from oddsengine.common.settings.file_identity import file_identity
from oddsengine.common.tasks import end_tasks
from oddsengine.engine.noting.recorder import NoteRecorder
from oddsengine.runtime.feeding.running import member_name
from oddsengine.streams.connection import keep_on_primary, open_client
from oddsengine.streams.notes.log import NoteLog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from oddsengine.common.settings.file_identity import FileIdentity
    from oddsengine.engine.engine import Engine
    from oddsengine.runtime.settings import Settings


class ConfigDigest:
    """The digest of a file, computed again when the file was changed.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity: FileIdentity | None = None
        self._digest = ""

    def __call__(self) -> str:
        """Return the digest in hexadecimal; the last one while the file can't be read."""
        found = file_identity(self._path)
        if found is not None and found != self._identity:
            with contextlib.suppress(OSError):
                self._digest = hashlib.sha256(self._path.read_bytes()).hexdigest()
                self._identity = found
        return self._digest


@asynccontextmanager
async def note_history(settings: Settings, redis_url: str, engine: Engine, config: Path) -> AsyncIterator[None]:
    """Note what an engine does until the context is left, if the config has a history."""
    if not settings.history.url:
        yield
        return
    # A client of its own: whatever it waits for keeps no connection from those who publish.
    redis = open_client(redis_url)
    log = NoteLog(redis, settings.redis.namespace)
    recorder = NoteRecorder(engine, log, member_name(), ConfigDigest(config), time.monotonic, CLOCK.wall_ms)
    tasks = [
        asyncio.create_task(recorder.run(), name="notes"),
        asyncio.create_task(keep_on_primary(redis), name="primary"),
    ]
    try:
        yield
    finally:
        await end_tasks(tasks)
        await redis.aclose()
