"""A worker's end of the channel to its parent: it reports that it runs, shares its metrics, and ends with its parent."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import socket
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.common.tasks import end_tasks
from oddsengine.runtime.processes.control import (
    Alive,
    AllSamples,
    Channel,
    CollectSamples,
    Reload,
    SendSamples,
    SkipPause,
    pack,
    unpack,
)
from oddsengine.runtime.telemetry.metrics import SharedRegistry
from oddsengine.runtime.telemetry.process_samples import process_samples

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from prometheus_client import CollectorRegistry

    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.telemetry.metrics import Sample, Source

ALIVE_EVERY_S: Final = 0.5
_COLLECT_TIMEOUT_S: Final = 2.0
#: prctl(2)
_PR_SET_PDEATHSIG: Final = 1
_log = structlog.get_logger(__name__)


class ParentLink:
    """The channel to the parent.

    Args:
        channel: leads to it.
        startup: whether this worker serves; stopped when the parent is gone.
    """

    def __init__(self, channel: Channel, startup: Startup) -> None:
        self._channel = channel
        self._startup = startup
        self._sources: Sequence[Source] = ()
        self._collecting: dict[int, asyncio.Future[list[Sample]]] = {}
        self._requests = 0
        #: called when the parent asks for a reload
        self.on_reload: Callable[[], None] = lambda: None

    def registry(self, sources: Sequence[Source]) -> CollectorRegistry:
        """Return the metrics of all workers. `sources` are those of this one."""
        self._sources = [*sources, process_samples]
        return SharedRegistry(self._collect)

    async def run(self) -> None:
        """Serve the parent until it is gone, then stop."""
        alive = asyncio.create_task(self._send_heartbeats())
        try:
            while (message := await self._channel.receive()) is not None:
                match message:
                    case SendSamples():
                        self._channel.send(pack(message.request, self._own_samples()))
                    case AllSamples():
                        answer = self._collecting.pop(message.samples.request, None)
                        if answer is not None and not answer.done():
                            answer.set_result(unpack(message.samples))
                    case Reload():
                        self.on_reload()
                    case SkipPause():
                        self._startup.skip_pause()
                    case _:
                        pass
        finally:
            await end_tasks([alive])
        _log.error("parent gone, stopping")
        self._startup.skip_pause()

    def send_heartbeat(self) -> None:
        """Report that the event loop runs, and how far the start of this worker is."""
        self._channel.send(Alive(self._startup.step.name, self._startup.waiting_for))

    async def _send_heartbeats(self) -> None:
        while True:
            self.send_heartbeat()
            await asyncio.sleep(ALIVE_EVERY_S)

    def _own_samples(self) -> Iterable[Sample]:
        return [sample for source in self._sources for sample in source()]

    async def _collect(self) -> list[Sample]:
        self._requests += 1
        request = self._requests
        answer: asyncio.Future[list[Sample]] = asyncio.get_running_loop().create_future()
        self._collecting[request] = answer
        self._channel.send(CollectSamples(request))
        try:
            async with asyncio.timeout(_COLLECT_TIMEOUT_S):
                return await answer
        except TimeoutError:
            return list(self._own_samples())
        finally:
            self._collecting.pop(request, None)


@asynccontextmanager
async def linked_to_parent(control: int, startup: Startup) -> AsyncIterator[ParentLink]:
    """Keep the channel to the parent while the context is open.

    Args:
        control: the file descriptor of this end.
        startup: stopped when the parent is gone.
    """
    if sys.platform == "linux":
        # SIGCONT, so that a worker that is suspended notices it too.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGCONT, 0, 0, 0)
    channel = await Channel.open(socket.socket(fileno=control))
    link = ParentLink(channel, startup)
    running = asyncio.create_task(link.run(), name="parent")
    try:
        yield link
    finally:
        await end_tasks([running])
        channel.close()
