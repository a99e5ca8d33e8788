"""`oddsengine gateway`: gateways that follow the streams, one a worker process, all on one port."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.common.signals import stop_event
from oddsengine.common.tasks import end_tasks
from oddsengine.runtime.service import gateway_running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oddsengine.runtime.settings import Settings

#: A worker that dies is started again, after a while that grows to the second if it dies at once again.
_RESTART_START_S: Final = 0.2
_RESTART_CEILING_S: Final = 5.0
_LIVED_S: Final = 10.0
#: Longer than a worker takes to drain.
_DRAIN_S: Final = 15.0
_log = structlog.get_logger(__name__)


async def serve(settings: Settings, *, reuse_port: bool = False) -> None:
    """Be one gateway until SIGINT or SIGTERM, then drain and return.

    Args:
        settings: the configuration; its Redis has a URL.
        reuse_port: whether other workers listen on the same port.
    """
    stop = stop_event()
    async with gateway_running(settings, settings.redis.url, reuse_port=reuse_port) as service:
        _log.info("serving", url=f"http://{settings.gateway.host}:{service.port}", worker=os.getpid())
        await stop.wait()
        _log.info("stopping", worker=os.getpid())


async def supervise(workers: int, host: str, port: int, arguments: Sequence[str]) -> None:
    """Keep worker processes running until SIGINT or SIGTERM, then drain them all and return.

    Args:
        workers: how many.
        host: where they listen.
        port: the port they share; 0 takes a free one.
        arguments: of the `oddsengine gateway` that each worker is, without its port.
    """
    stop = stop_event()
    with _reserved(host, port) as taken:
        command = [sys.executable, "-m", "oddsengine", *arguments, "--port", str(taken), "--workers", "1", "--share-port"]
        async with asyncio.TaskGroup() as group:
            keeping = [group.create_task(_keep(command, number), name=f"worker-{number}") for number in range(workers)]
            _log.info("workers", url=f"http://{host}:{taken}", workers=workers)
            await stop.wait()
            await end_tasks(keeping)


async def _keep(command: list[str], number: int) -> None:
    """Keep one worker running until cancelled; then let it drain."""
    loop = asyncio.get_running_loop()
    pause_s = _RESTART_START_S
    while True:
        started_s = loop.time()
        worker = await asyncio.create_subprocess_exec(*command)
        try:
            status = await worker.wait()
        except asyncio.CancelledError:
            await _drain(worker)
            raise
        if loop.time() - started_s > _LIVED_S:
            pause_s = _RESTART_START_S
        _log.error("worker died, starting another", worker=number, status=status, in_s=pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, _RESTART_CEILING_S)


async def _drain(worker: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        worker.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(_DRAIN_S):
            await worker.wait()
    except TimeoutError:
        _log.error("worker does not stop, killing it", worker=worker.pid)
        worker.kill()
        await worker.wait()


@contextlib.contextmanager
def _reserved(host: str, port: int) -> Iterator[int]:
    """Hold the port that the workers share, without listening on it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((host, port))
        yield held.getsockname()[1]
