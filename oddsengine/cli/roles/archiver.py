"""`oddsengine archiver`: keeps everything that is published in PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from oddsengine.common.processes.signals import on_reload
from oddsengine.common.tasks import end_tasks
from oddsengine.history.embedded.server import NICENESS
from oddsengine.runtime.archiving.checkpoint_key import is_exposed, load_checkpoint_key
from oddsengine.runtime.archiving.database import provide_history
from oddsengine.runtime.parts.access import access_part, build_admission, without_anonymous
from oddsengine.runtime.parts.serving import access_log_part
from oddsengine.runtime.parts.sole_worker import serve_worker_api
from oddsengine.runtime.processes.front import is_local, open_front, url_of
from oddsengine.runtime.processes.redis import provide_redis
from oddsengine.runtime.processes.startup import Step
from oddsengine.runtime.reload import ARCHIVER_READS, Reloader, run_reloader
from oddsengine.runtime.settings.telemetry import MetricsSettings
from oddsengine.runtime.telemetry.http_observer import HttpObserver
from oddsengine.runtime.telemetry.scrapes import open_scrapes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from oddsengine.history.archive.archive import Counters
    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.settings import Settings

_log = structlog.get_logger(__name__)


async def archiver(
    startup: Startup, settings: Settings, config: Path, load: Callable[[Path], Settings], *, until_eof: bool = False
) -> None:
    """Archive what is published, if no other process does, until SIGINT or SIGTERM.

    SIGHUP and a change of the config file reload who is admitted and the log level. Another database needs a restart.

    Args:
        startup: the steps of the start.
        settings: the configuration. Its Redis and its history have URLs.
        config: the file it was loaded from.
        load: loads that file again; raises ConfigError.
        until_eof: whether the end of standard input stops it too, as where another process runs it.
    """
    history = settings.history
    async with AsyncExitStack() as stack:
        if until_eof:
            await stack.enter_async_context(_stop_at_eof(startup))
        with startup.doing(Step.SECRETS):
            admission = build_admission(without_anonymous(settings, "history.host", history.host))
            load_checkpoint_key(history)
            if is_exposed(history):
                _log.warning("checkpoint key can be used by others, change the mode of its file", file=history.checkpoint_key)
        front = await stack.enter_async_context(open_front(history.host, history.port, startup))
        # The process that runs this one has the port of the config.
        scrapes = await stack.enter_async_context(open_scrapes(MetricsSettings() if until_eof else settings.metrics, startup))
        # Whoever prices and serves on this machine goes first.
        os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
        redis_url, _ = await stack.enter_async_context(provide_redis(settings, startup))
        database = await stack.enter_async_context(provide_history(settings, startup))
        # It loads the driver, which is only installed where there is a history.
        from oddsengine.runtime.archiving.running import run_archiver  # noqa: PLC0415

        running = await stack.enter_async_context(run_archiver(settings, redis_url, database))
        access = access_part(admission, "history.host", history.host)
        observer = HttpObserver(admission.addresses, logs=settings.log.access)
        reloader = Reloader(config, load, settings, None, parts=[access, access_log_part(observer)], reads=ARCHIVER_READS)
        await stack.enter_async_context(run_reloader(reloader))
        on_reload(reloader.request)
        local, counters = is_local(history.host), running.counters
        await stack.enter_async_context(
            serve_worker_api(running, front, admission, scrapes, observer, local=local, describe=lambda: _progress(counters))
        )
        startup.ready()
        _log.info("archiver ready", metrics=f"{url_of(history.host, front.port)}/metrics", database=database.label)
        await startup.stopping.wait()
        _log.info("stopping")
        await running.stop()


def _progress(counters: Counters) -> dict[str, float]:
    return {"behind_s": round(counters.behind_s, 1)}


@asynccontextmanager
async def _stop_at_eof(startup: Startup) -> AsyncIterator[None]:
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def wait() -> None:
        await reader.read()
        startup.stop()

    waiting = asyncio.create_task(wait(), name="standard input")
    try:
        yield
    finally:
        await end_tasks([waiting])
        transport.close()
