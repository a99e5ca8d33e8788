"""Close connections whose request takes too long to arrive, or that are idle (RFC 9110, 15.5.9, allows just closing)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web
    from aiohttp.typedefs import Handler

_POLL_S: Final = 0.25


class HandshakeTimeouts:
    """Tracks connections whose request has not arrived yet, and those that are idle between two requests.

    Neither has a timer of its own: one task closes those that are due. Sockets and event streams are not tracked once their
    handshake is complete.

    Args:
        timeout_s: how long a request may take to arrive, from the acceptance of its connection or, after another request, from
            its first byte; 0 for no limit.
        clock: monotonic seconds.
        idle_timeout_s: how long a connection may be idle after a request; 0 for no limit.
    """

    def __init__(self, timeout_s: float, clock: Callable[[], float], idle_timeout_s: float = 0.0) -> None:
        self._timeout_s = timeout_s
        self._idle_timeout_s = idle_timeout_s
        self._clock = clock
        #: connections whose request is arriving, and since when: oldest first
        self._pending: dict[asyncio.BaseProtocol, float] = {}
        #: connections that are idle, and since when: oldest first
        self._idle: dict[asyncio.BaseProtocol, float] = {}
        #: connections closed for being too slow
        self.timed_out = 0
        #: connections closed for being idle
        self.idle_closed = 0

    def use(self, timeout_s: float, idle_timeout_s: float) -> None:
        """Close connections after other times from now on. Without one, those that were tracked for it stay open."""
        self._timeout_s, self._idle_timeout_s = timeout_s, idle_timeout_s
        if not timeout_s:
            self._pending.clear()
        if not idle_timeout_s:
            self._idle.clear()

    def accepted(self, connection: asyncio.BaseProtocol) -> None:
        """Track a new connection."""
        if self._timeout_s:
            self._pending[connection] = self._clock()

    def received(self, connection: asyncio.BaseProtocol) -> None:
        """Note bytes of a request. On an idle connection they are the first ones of the next request."""
        if self._idle.pop(connection, None) is not None:
            self.accepted(connection)

    def forget(self, connection: asyncio.BaseProtocol) -> None:
        """Stop tracking a connection. No-op if it is not tracked."""
        self._pending.pop(connection, None)
        self._idle.pop(connection, None)

    def complete(self, request: web.BaseRequest) -> None:
        """Note that a connection's request has arrived."""
        self.forget(request.protocol)

    def completing(self, handler: Handler) -> Handler:
        """Wrap a handler so that its requests complete the handshake. A request is complete once its body has arrived."""

        async def wrapped(request: web.Request) -> web.StreamResponse:
            if not request.can_read_body:
                self.complete(request)
            try:
                return await handler(request)
            finally:
                self.complete(request)
                if self._idle_timeout_s and request.transport is not None:
                    self._idle[request.protocol] = self._clock()

        return wrapped

    async def watch(self) -> None:
        """Close connections that are too slow or idle for too long, until cancelled."""
        while True:
            await asyncio.sleep(_POLL_S)
            now_s = self._clock()
            if self._timeout_s:
                self.timed_out += _close_overdue(self._pending, now_s, self._timeout_s)
            if self._idle_timeout_s:
                self.idle_closed += _close_overdue(self._idle, now_s, self._idle_timeout_s)


def _close_overdue(connections: dict[asyncio.BaseProtocol, float], now_s: float, timeout_s: float) -> int:
    """Abort the connections that have been tracked for too long, and return how many those were."""
    closed = 0
    # Oldest first: the first connection within its time ends the scan.
    for connection, since_s in list(connections.items()):
        if now_s - since_s <= timeout_s:
            break
        del connections[connection]
        transport = getattr(connection, "transport", None)
        if transport is None:
            continue
        if transport.get_write_buffer_size():
            connections[connection] = now_s  # it still reads the last answer
            continue
        closed += 1
        transport.abort()
    return closed
