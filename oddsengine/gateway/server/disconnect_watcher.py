"""Who has gone: a transport tells nobody that it closes, so one task looks after all of them."""

from __future__ import annotations

import asyncio
from typing import Final

_LOOK_S: Final = 0.25


class DisconnectWatcher:
    """Connections on which nothing is read that would tell their end."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Transport, asyncio.Future[None]] = {}
        self._watch: asyncio.Task[None] | None = None

    async def of(self, transport: asyncio.Transport) -> None:
        """Wait until a connection is gone."""
        gone = self._waiting[transport] = asyncio.get_running_loop().create_future()
        if self._watch is None:
            self._watch = asyncio.create_task(self._look(), name="departures")
        try:
            await gone
        finally:
            del self._waiting[transport]

    async def _look(self) -> None:
        """Look after all, as long as there are any."""
        while self._waiting:
            await asyncio.sleep(_LOOK_S)
            for transport, gone in self._waiting.items():
                if transport.is_closing() and not gone.done():
                    gone.set_result(None)
        self._watch = None
