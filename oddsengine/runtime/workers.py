"""Keeps worker processes running that share a port."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

#: A worker that exits is restarted after a delay, which doubles while workers exit soon after their start.
_RESTART_START_S: Final = 0.2
_RESTART_CEILING_S: Final = 5.0
_STABLE_AFTER_S: Final = 10.0
#: Longer than a worker takes to drain.
_DRAIN_TIMEOUT_S: Final = 15.0
_log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def run_workers(count: int, host: str, port: int, arguments: Sequence[str]) -> AsyncIterator[int]:
    """Keep worker processes running, and yield the port they share. When the context is left, let them drain.

    Args:
        count: the number of workers.
        host: the address they listen on.
        port: the port they share; 0 takes a free one.
        arguments: of the `oddsengine` command that each worker runs. `--port` and `--share-port` are added.
    """
    with _reserved(host, port) as reserved_port:
        command = [sys.executable, "-m", "oddsengine", *arguments, "--port", str(reserved_port), "--share-port"]
        async with asyncio.TaskGroup() as group:
            keeping = [group.create_task(_keep_running(command, number), name=f"worker-{number}") for number in range(count)]
            try:
                yield reserved_port
            finally:
                await end_tasks(keeping)


async def _keep_running(command: list[str], number: int) -> None:
    """Run a worker and restart it whenever it exits. When cancelled, let it drain."""
    loop = asyncio.get_running_loop()
    delay_s = _RESTART_START_S
    while True:
        started_s = loop.time()
        worker = await asyncio.create_subprocess_exec(*command)
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


@contextlib.contextmanager
def _reserved(host: str, port: int) -> Iterator[int]:
    """Reserve a port without listening on it, so that workers can share it and no other process takes it between restarts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as reserving:
        reserving.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserving.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserving.bind((host, port))
        yield reserving.getsockname()[1]
