"""Watch a file for changes, however it is replaced: in place, by a rename, or by a change of any link on its path.

The file is polled. inotify reports on a folder, not on a path (a mounted ConfigMap is replaced two links away), wakes up for
every other file in it, and takes one of the few instances that a user may have.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from oddsengine.common.settings.file_identity import file_identity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

POLL_S: Final = 0.5


async def changes(path: Path, poll_s: float = POLL_S) -> AsyncIterator[None]:
    """Yield whenever the content of a file has changed and is no longer being written. A missing file is waited for.

    Args:
        path: the file, or a link to it.
        poll_s: how often it is checked; it is complete if it is the same twice.
    """
    seen, content = file_identity(path), _content(path)
    pending = seen
    while True:
        await asyncio.sleep(poll_s)
        found = file_identity(path)
        if found != pending:
            pending = found
        elif found != seen and found is not None:
            seen = found
            if (changed := _content(path)) is not None and changed != content:
                content = changed
                yield


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
