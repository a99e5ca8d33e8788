"""Keeps worker processes running that share a port."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.common.tasks import end_tasks
from oddsengine.runtime.processes.front import when_free
from oddsengine.runtime.processes.startup import Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from oddsengine.runtime.processes.startup import Startup

#: A worker that exits is restarted after a delay, which doubles while workers exit soon after their start.
_RESTART_START_S: Final = 0.2
_RESTART_CEILING_S: Final = 5.0
_STABLE_AFTER_S: Final = 10.0
#: Longer than a worker takes to drain.
_DRAIN_TIMEOUT_S: Final = 15.0
_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def run_workers(startup: Startup, count: int, host: str, port: int, arguments: Sequence[str]) -> AsyncIterator[int]:
    """Keep worker processes running, and yield the port they share. When the context is left, let them drain.

    Args:
        startup: its step is BIND meanwhile.
        count: the number of workers.
        host: the address they listen on.
        port: the port they share; 0 takes a free one.
        arguments: of the `oddsengine` command that each worker runs. `--listen-fd` is added.
    """
    with contextlib.ExitStack() as stack:
        with startup.doing(Step.BIND):
            shared = await startup.unless_stopped(when_free(host, port, count, startup))
        for sockets in shared:
            for each in sockets:
                stack.enter_context(each)
        startup.ready()
        async with asyncio.TaskGroup() as group:
            keeping = [
                group.create_task(
                    _keep_running(arguments, number, [each.fileno() for each in shared[number]]), name=f"worker-{number}"
                )
                for number in range(count)
            ]
            try:
                yield int(shared[0][0].getsockname()[1])
            finally:
                await end_tasks(keeping)


async def _keep_running(arguments: Sequence[str], number: int, listening: list[int]) -> None:
    """Run a worker and restart it whenever it exits. When cancelled, let it drain."""
    loop = asyncio.get_running_loop()
    command = [sys.executable, "-m", "oddsengine", *arguments, "--listen-fd", ",".join(map(str, listening))]
    delay_s = _RESTART_START_S
    while True:
        started_s = loop.time()
        worker = await asyncio.create_subprocess_exec(*command, pass_fds=listening)
        try:
            status = await worker.wait()
        except asyncio.CancelledError:
            await _drain(worker)
            raise
        if loop.time() - started_s > _STABLE_AFTER_S:
            delay_s = _RESTART_START_S
        _log.error("worker exited, restarting", worker=number, status=status, in_s=delay_s)
        await asyncio.sleep(delay_s)
        delay_s = min(2 * delay_s, _RESTART_CEILING_S)


async def _drain(worker: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        worker.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_DRAIN_TIMEOUT_S):
            await worker.wait()
    except TimeoutError:
        _log.error("worker did not drain in time, killing it", worker=worker.pid, timeout_s=_DRAIN_TIMEOUT_S)
        worker.kill()
        await worker.wait()
