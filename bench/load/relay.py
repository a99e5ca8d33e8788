"""A network path that stalls: a relay between clients and a gateway that now and then takes nothing from the gateway's side."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: So little is on its way to a client that a stall is felt at once; left alone, the kernel takes megabytes.
_WINDOW_BYTES: Final = 16 * 1024


class Relay:
    """Passes bytes on, both ways.

    Args:
        port: the gateway's, on loopback.
    """

    def __init__(self, port: int) -> None:
        self._gateway_port = port
        self._paths: dict[_Path, asyncio.Task[None]] = {}
        self.port = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Serve on a free port of loopback, `port`."""
        server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0, limit=_WINDOW_BYTES)
        self.port = int(server.sockets[0].getsockname()[1])
        try:
            yield
        finally:
            server.close()
            # A connection that is cancelled prints a traceback; it is told to hang up instead.
            served = list(self._paths.values())
            for path in self.paths:
                path.hang_up()
            await asyncio.gather(*served)

    @property
    def paths(self) -> list[_Path]:
        """List the connections there are now."""
        return list(self._paths)

    async def _pass_on(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        upstream = socket.socket()
        upstream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _WINDOW_BYTES)
        upstream.setblocking(False)
        await asyncio.get_running_loop().sock_connect(upstream, ("127.0.0.1", self._gateway_port))
        from_gateway, to_gateway = await asyncio.open_connection(sock=upstream, limit=_WINDOW_BYTES)
        path = _Path()
        served = asyncio.current_task()
        assert served is not None  # noqa: S101 - a server runs this in one
        self._paths[path] = served
        ways = [
            asyncio.create_task(_copy(from_client, to_gateway, None)),
            asyncio.create_task(_copy(from_gateway, to_client, path)),
            asyncio.create_task(path.hung_up()),
        ]
        try:
            # Where one side hangs up, so does the other.
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._paths[path]
            await end_tasks(ways)
            to_gateway.close()
            to_client.close()


class _Path:
    """One connection through the relay."""

    def __init__(self) -> None:
        self._runs = asyncio.Event()
        self._runs.set()
        self._ends = asyncio.Event()

    async def stall(self, seconds: float) -> None:
        """Take nothing from the gateway for a while."""
        self._runs.clear()
        await asyncio.sleep(seconds)
        self._runs.set()

    def hang_up(self) -> None:
        """End it on both sides."""
        self._ends.set()

    async def hung_up(self) -> None:
        """Wait until it is to end."""
        await self._ends.wait()

    async def runs(self) -> None:
        """Wait until it takes something again."""
        await self._runs.wait()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: _Path | None) -> None:
    try:
        while data := await reader.read(_WINDOW_BYTES):
            writer.write(data)
            await writer.drain()
            if path is not None:
                await path.runs()
    except OSError:
        pass  # somebody hung up, which is what this one does next
