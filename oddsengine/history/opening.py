"""Opens the database of a config for one command: the one that a URL names, or the embedded server of a directory.

If that server is running already, in another process, its sockets are used.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from oddsengine.history.database import open_database
from oddsengine.history.embedded.server import EmbeddedPostgres, running_url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oddsengine.history.database import Database
    from oddsengine.history.settings import HistorySettings


@asynccontextmanager
async def opened_database(settings: HistorySettings) -> AsyncIterator[Database]:
    """Yield the database of the settings.

    Raises:
        NoServer: if the embedded server can't be started.
        ValueError: if a password or a file is missing or malformed.
    """
    if not settings.is_embedded:
        yield open_database(settings)
        return
    directory = Path(settings.directory)
    if url := running_url(directory):
        yield open_database(settings, url)
        return
    async with EmbeddedPostgres(directory) as server:
        yield open_database(settings, server.url)
