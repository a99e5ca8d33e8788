"""A TCP relay whose network can be cut, stalled, reset and black-holed, as that between two machines."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_CHUNK_BYTES: Final = 65_536
#: cut: connections end, and new ones are refused. stalled: nothing arrives for a while, then all of it. lost: what is sent
#: arrives nowhere, and connections of that time never work again.
Condition: TypeAlias = Literal["open", "cut", "stalled", "lost"]


class Relay:
    """Forward connections to a port of this machine.

    Args:
        target_port: where they lead.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._condition: Condition = "open"
        self._flows = asyncio.Event()
        self._flows.set()
        self._connections: dict[_Connection, asyncio.Task[None]] = {}
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen on a free port of loopback, `port`."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        self.reset()
        await end_tasks(list(self._connections.values()))

    def set_condition(self, condition: Condition) -> None:
        """Change the state of the network."""
        self._condition = condition
        if condition == "stalled":
            self._flows.clear()
        else:
            self._flows.set()
        if condition == "cut":
            self.reset()
        if condition == "lost":
            for connection in self._connections:
                connection.is_lost = True

    def reset(self) -> None:
        """Reset every connection. New ones are accepted."""
        for connection in self._connections:
            connection.reset()

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if self._condition == "cut":
            _reset(to_client)
            return
        task = asyncio.current_task()
        assert task is not None
        connection = _Connection(to_client)
        connection.is_lost = self._condition == "lost"
        self._connections[connection] = task
        directions: list[asyncio.Task[None]] = []
        try:
            from_target, connection.to_target = await asyncio.open_connection("127.0.0.1", self._target_port)
            directions += [
                asyncio.create_task(self._copy(connection, from_client, connection.to_target)),
                asyncio.create_task(self._copy(connection, from_target, to_client)),
            ]
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        except (OSError, asyncio.CancelledError):
            pass  # nobody listens there, or the relay stops
        finally:
            del self._connections[connection]
            await end_tasks(directions)
            connection.close()

    async def _copy(self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for data in _chunks(reader):
            await self._flows.wait()
            if not connection.is_lost:
                writer.write(data)
        # The end of one side does not reach the other one either.
        await self._flows.wait()
        while connection.is_lost:
            await asyncio.sleep(1.0)


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    try:
        while data := await reader.read(_CHUNK_BYTES):
            yield data
    except OSError:
        pass  # reset


class _Connection:
    def __init__(self, to_client: asyncio.StreamWriter) -> None:
        self.to_client = to_client
        self.to_target: asyncio.StreamWriter | None = None
        self.is_lost = False

    def reset(self) -> None:
        for writer in (self.to_client, self.to_target):
            if writer is not None:
                _reset(writer)

    def close(self) -> None:
        for writer in (self.to_client, self.to_target):
            if writer is not None:
                writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    if not writer.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
