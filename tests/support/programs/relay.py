"""TLS in front of a program that speaks none, and connections that break."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import TypeAlias

    from tests.support.credentials import Certificates

    LetIn: TypeAlias = Callable[
        [asyncio.StreamReader, asyncio.StreamWriter, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]
    ]


class Relay:
    """Carries connections to a port, with TLS, and cuts them.

    Args:
        to: the port.
        certificates: whose good one it shows.
        let_in: speaks with a client, and with the program, until the client is let in; returns whether it is. None: everybody is.
    """

    def __init__(self, to: int, certificates: Certificates, let_in: LetIn | None = None) -> None:
        self._let_in = let_in
        self._to = to
        self._certificates = certificates
        self._open: set[asyncio.StreamWriter] = set()
        self.refuses = False
        self.port = 0
        self.connections = 0

    def cut(self) -> None:
        """Cut all connections."""
        for writer in self._open:
            writer.transport.abort()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Relay]:
        """Carry connections to `port` until the context is left."""
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0, ssl=self._certificates.server())
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            await asyncio.sleep(0)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.transport.abort()
            return
        self.connections += 1
        there, to = await asyncio.open_connection("127.0.0.1", self._to)
        self._open |= {writer, to}
        try:
            if self._let_in is not None and not await self._let_in(reader, writer, there, to):
                writer.close()
        except (OSError, EOFError):
            writer.transport.abort()
        await asyncio.wait([asyncio.create_task(self._copy(reader, to)), asyncio.create_task(self._copy(there, writer))])

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                writer.write(data)
        except OSError:
            pass
        writer.transport.abort()
