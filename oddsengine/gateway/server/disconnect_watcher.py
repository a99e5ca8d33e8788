"""Detects closed connections on which nothing is read: a transport does not report that it closes."""

from __future__ import annotations

import asyncio
from typing import Final

_POLL_S: Final = 0.25


class DisconnectWatcher:
    """Polls all watched connections in a single task, which runs only while there are any."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Transport, asyncio.Future[None]] = {}
        self._polling: asyncio.Task[None] | None = None

    async def wait_closed(self, transport: asyncio.Transport) -> None:
        """Wait until a connection is closed. May be cancelled."""
        closed = self._waiting[transport] = asyncio.get_running_loop().create_future()
        if self._polling is None:
            self._polling = asyncio.create_task(self._poll(), name="disconnects")
        try:
            await closed
        finally:
            del self._waiting[transport]

    async def _poll(self) -> None:
        while self._waiting:
            await asyncio.sleep(_POLL_S)
            for transport, closed in self._waiting.items():
                if transport.is_closing() and not closed.done():
                    closed.set_result(None)
        self._polling = None
