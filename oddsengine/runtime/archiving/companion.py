"""The history of `oddsengine run`: an embedded PostgreSQL where that is configured, and an archiver in a process of its own.

Neither is waited for, and neither can end the process: it serves without a history, and says why. The archiver is another process
so that its work takes no time of the event loop that prices and serves; it ends when its standard input does, however we end.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.common.tasks import end_tasks
from oddsengine.history.errors import HistoryError, NotInstalled
from oddsengine.runtime.archiving.database import check_installed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oddsengine.history.database import Database
    from oddsengine.runtime.settings import Settings

_AGAIN_S: Final = 5.0
_STOP_TIMEOUT_S: Final = 10.0
_log = structlog.get_logger(__name__)


class HistoryCompanion:
    """The archiver of this process.

    Args:
        settings: the configuration. It has a history.
        redis_url: the Redis with the streams.
        config: the file of the configuration.
    """

    def __init__(self, settings: Settings, redis_url: str, config: Path) -> None:
        self._settings = settings
        self._redis_url = redis_url
        self._config = config
        #: where the history is, once it can be asked
        self.database: Database | None = None
        #: why there is none; empty where there is, or will be
        self.problem = ""

    async def run(self) -> None:
        """Keep the history until cancelled."""
        try:
            check_installed()
        except NotInstalled as error:
            self.problem = str(error)
            _log.warning("no history", reason=self.problem)
            return
        while True:
            try:
                await self._keep()
            except (HistoryError, OSError, ValueError) as error:
                self.database, self.problem = None, str(error)
                _log.error("no history, trying again", error=self.problem)
                await asyncio.sleep(_AGAIN_S)

    async def _keep(self) -> None:
        # Importing these takes long enough for the event loop to miss a heartbeat.
        await asyncio.to_thread(import_module, "oddsengine.history.schema.migrations")
        from oddsengine.history.database import open_database  # noqa: PLC0415 - the driver may be missing
        from oddsengine.history.embedded.server import EmbeddedPostgres  # noqa: PLC0415 - the same
        from oddsengine.history.schema.migrations import migrate  # noqa: PLC0415 - the same

        history = self._settings.history
        async with AsyncExitStack() as stack:
            url = history.url
            tasks = []
            if history.is_embedded:
                directory = Path(history.directory) if history.directory else None
                server = await stack.enter_async_context(EmbeddedPostgres(directory, gives_way=True))
                url = server.url
                await asyncio.to_thread(lambda: asyncio.run(migrate(open_database(history, url).connect)))
                tasks.append(asyncio.create_task(server.keep_running(), name="postgres"))
            self.database, self.problem = open_database(history, url), ""
            tasks.append(asyncio.create_task(self._archive(url), name="archiver process"))
            try:
                await asyncio.gather(*tasks)
            finally:
                self.database = None
                await end_tasks(tasks)

    async def _archive(self, url: str) -> None:
        """Run archivers, one after another, until cancelled."""
        arguments = ["archiver", "--config", str(self._config), "--redis-url", self._redis_url, "--until-eof"]
        if self._settings.history.is_embedded:
            arguments += ["--history-url", url]
        while True:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "oddsengine", *arguments, stdin=asyncio.subprocess.PIPE, start_new_session=True
            )
            try:
                code = await process.wait()
            finally:
                if process.returncode is None:
                    assert process.stdin is not None  # noqa: S101 - it has a pipe
                    process.stdin.close()
                    try:
                        async with asyncio.timeout(_STOP_TIMEOUT_S):
                            await process.wait()
                    except TimeoutError:
                        process.kill()
            _log.error("archiver exited, starting another one", exit_code=code)
            await asyncio.sleep(_AGAIN_S)


@asynccontextmanager
async def keep_history(settings: Settings, redis_url: str, config: Path) -> AsyncIterator[HistoryCompanion | None]:
    """Keep the history of this process until the context is left; yield None if it has none."""
    if not settings.history.url:
        yield None
        return
    companion = HistoryCompanion(settings, redis_url, config)
    keeping = asyncio.create_task(companion.run(), name="history")
    try:
        yield companion
    finally:
        await end_tasks([keeping])
