"""A TCP relay between clients and a gateway whose connections can be stalled: it then reads nothing from the gateway."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Small buffers, so that a stall is felt at once; by default the kernel buffers megabytes.
_WINDOW_BYTES: Final = 16 * 1024


class Relay:
    """Forward bytes in both directions.

    Args:
        port: of the gateway, on loopback.
    """

    def __init__(self, port: int) -> None:
        self._gateway_port = port
        self._paths: dict[_Path, asyncio.Task[None]] = {}
        self.port = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen on a free port of loopback, `port`."""
        server = await asyncio.start_server(self._forward, "127.0.0.1", 0, limit=_WINDOW_BYTES)
        self.port = int(server.sockets[0].getsockname()[1])
        try:
            yield
        finally:
            server.close()
            # A cancelled connection handler prints a traceback, so each is asked to close instead.
            handlers = list(self._paths.values())
            for path in self.paths:
                path.close()
            await asyncio.gather(*handlers)

    @property
    def paths(self) -> list[_Path]:
        """The open connections."""
        return list(self._paths)

    async def _forward(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        upstream = socket.socket()
        upstream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WINDOW_BYTES)
        upstream.setblocking(False)
        await asyncio.get_running_loop().sock_connect(upstream, ("127.0.0.1", self._gateway_port))
        from_gateway, to_gateway = await asyncio.open_connection(sock=upstream, limit=_WINDOW_BYTES)
        path = _Path()
        handler = asyncio.current_task()
        assert handler is not None  # noqa: S101 - a server runs this in a task
        self._paths[path] = handler
        directions = [
            asyncio.create_task(_copy(from_client, to_gateway, None)),
            asyncio.create_task(_copy(from_gateway, to_client, path)),
            asyncio.create_task(path.wait_closed()),
        ]
        try:
            # When one side closes, so does the other.
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._paths[path]
            await end_tasks(directions)
            to_gateway.close()
            to_client.close()


class _Path:
    """One connection through the relay."""

    def __init__(self) -> None:
        self._running = asyncio.Event()
        self._running.set()
        self._closing = asyncio.Event()

    async def stall(self, seconds: float) -> None:
        """Read nothing from the gateway for a while."""
        self._running.clear()
        await asyncio.sleep(seconds)
        self._running.set()

    def close(self) -> None:
        """Close it on both sides."""
        self._closing.set()

    async def wait_closed(self) -> None:
        """Wait until it is to be closed."""
        await self._closing.wait()

    async def wait_running(self) -> None:
        """Wait until it is no longer stalled."""
        await self._running.wait()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: _Path | None) -> None:
    try:
        while data := await reader.read(_WINDOW_BYTES):
            writer.write(data)
            await writer.drain()
            if path is not None:
                await path.wait_running()
    except OSError:
        pass  # the other side has closed; this one closes next
