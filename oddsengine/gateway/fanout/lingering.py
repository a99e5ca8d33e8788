"""Close a connection so that the last bytes written arrive, whatever its client is still sending.

A socket that is closed with unread input resets the connection, and the client may then lose what it has not read yet: its
closing code (RFC 9112, section 9.6, describes the same for HTTP). So the writing side is closed first, and what still arrives is
read and dropped until the client closes its side, for a bounded time and number of bytes.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

_LINGER_S: Final = 2.0
#: Where the writing side can't be closed by itself, the client has sent everything once it was quiet for so long.
_QUIET_S: Final = 0.1
_MAX_BYTES: Final = 4_000_000


class _Lingering(asyncio.Protocol):
    """Takes the place of a connection's protocol until the connection is closed.

    Args:
        transport: the connection.
        protocol: is notified of its end.
        half: whether the writing side is closed at once, so that the client knows that nothing more will come.
    """

    def __init__(self, transport: asyncio.Transport, protocol: asyncio.Protocol, *, half: bool) -> None:
        self._transport = transport
        self._protocol = protocol
        self._left = _MAX_BYTES
        self._loop = loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_LINGER_S, transport.abort)
        self._quiet = None if half else loop.call_later(_QUIET_S, transport.close)
        self.closed: asyncio.Future[None] = loop.create_future()

    def data_received(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._transport.abort()
        elif self._quiet is not None:
            self._quiet.cancel()
            self._quiet = self._loop.call_later(_QUIET_S, self._transport.close)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        if self._quiet is not None:
            self._quiet.cancel()
        if not self.closed.done():
            self.closed.set_result(None)
        self._protocol.connection_lost(exc)


def close_gently(transport: asyncio.Transport, *, half: bool = True) -> None:
    """Close a connection once its client has sent everything, or after a while. No-op if it is being closed.

    Args:
        transport: the connection. What was written to it before is still sent.
        half: whether nothing more is written to it, so that its writing side can be closed at once where the transport allows it.
    """
    if transport.is_closing() or is_lingering(transport):
        return
    protocol = transport.get_protocol()
    if protocol is None:
        transport.close()
        return
    half = half and transport.can_write_eof()
    transport.set_protocol(_Lingering(transport, cast("asyncio.Protocol", protocol), half=half))
    # aiohttp stops reading while its queue is full.
    transport.resume_reading()
    if half:
        try:
            transport.write_eof()
        except OSError:
            # The client has reset the connection, which the event loop has not read yet.
            transport.abort()


def is_lingering(transport: asyncio.Transport) -> bool:
    """Check whether a connection is being closed gently: nothing may be written to it."""
    return isinstance(transport.get_protocol(), _Lingering)


async def wait_closed(transport: asyncio.Transport) -> None:
    """Wait until a connection that is closed gently is closed. Return at once if it is not."""
    if isinstance(lingering := transport.get_protocol(), _Lingering):
        # Shielded: several may wait for it.
        await asyncio.shield(lingering.closed)


def ignore(_: bytes) -> None:
    """Take the place of a transport's `write` once nothing may follow."""
