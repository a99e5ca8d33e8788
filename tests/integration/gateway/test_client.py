"""The Python client: when it abandons a connection, and when it reconnects."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from contextlib import asynccontextmanager
from hashlib import sha1
from typing import TYPE_CHECKING, Final

from oddsengine.client import OddsClient
from oddsengine.gateway.protocol.encoders import JSON
from oddsengine.gateway.protocol.framing import frame
from oddsengine.gateway.protocol.server_messages import Welcome
from tests.support.service import running_service, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: RFC 6455, section 1.3.
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#: Well above the time the client needs, and half the default timeout of a closing handshake.
_SOON_S: Final = 5.0


class Following:
    """A client that is followed until it is to reconnect, and what it has received."""

    def __init__(self, base: str) -> None:
        self.waits_s: list[float] = []
        self.client = OddsClient(base, ["sport:football"], sleep=self._sleep)
        self.reconnect_ms: list[int] = []

    async def _sleep(self, delay_s: float) -> None:
        self.waits_s.append(delay_s)
        await asyncio.Event().wait()

    async def run(self) -> None:
        async for message in self.client.messages():
            if message["op"] == "bye":
                self.reconnect_ms.append(message["reconnect_ms"])


@asynccontextmanager
async def following(base: str) -> AsyncIterator[Following]:
    found = Following(base)
    task = asyncio.create_task(found.run())
    try:
        await wait_until(lambda: found.client.connected, "the connection")
        yield found
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_drained_client_reconnects_when_the_gateway_has_asked_it_to() -> None:
    async with running_service() as service, following(service.base) as first, following(service.base) as second:
        await service.gateway.connections.drain()
        await wait_until(lambda: bool(first.waits_s and second.waits_s), "the disconnects")
        for each in (first, second):
            assert [wait_ms / 1000 for wait_ms in each.reconnect_ms] == each.waits_s
        assert first.waits_s != second.waits_s, "spread, so that they do not come back at once"


async def test_an_abrupt_disconnect_is_followed_by_a_short_backoff() -> None:
    async with running_service() as service, following(service.base) as only:
        for session in list(service.hub.sessions):
            session.transport.abort()
        await wait_until(lambda: bool(only.waits_s), "the disconnect")
        assert [] == only.reconnect_ms
        assert 0 <= only.waits_s[0] <= 0.1


async def test_a_silent_gateway_is_left_without_waiting_for_its_closing_frame() -> None:
    came: asyncio.Queue[None] = asyncio.Queue()
    gone = asyncio.Event()

    async def welcome_and_fall_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        key = next(
            line.split(b":")[1].strip() for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key")
        )
        accept = b64encode(sha1(key + _GUID).digest())
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\nSec-WebSocket-Protocol: odds.v1.json\r\n\r\n"
        )
        writer.write(frame(JSON.value(Welcome(version=1, session="s", heartbeat_ms=20))))
        came.put_nowait(None)
        await gone.wait()
        writer.close()

    async def follow(client: OddsClient) -> None:
        async for _ in client.messages():
            pass

    server = await asyncio.start_server(welcome_and_fall_silent, "127.0.0.1", 0)
    running = asyncio.create_task(follow(OddsClient(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", ["sport:football"])))
    try:
        async with asyncio.timeout(_SOON_S):
            await came.get()
            await came.get()
    finally:
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        gone.set()
        server.close()
