"""Our own client on a path that has died: what it does must not wait for somebody who says nothing any more."""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64encode
from hashlib import sha1
from typing import Final

from oddsengine.client import OddsClient
from oddsengine.gateway.protocol.encoders import message
from oddsengine.gateway.protocol.framing import frame

#: RFC 6455, section 1.3.
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#: Well over what the client takes, and half of what a closing handshake that nobody answers is given by default.
_SOON_S: Final = 5.0


async def test_a_gateway_that_falls_silent_is_left_without_waiting_for_its_goodbye() -> None:
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
        writer.write(frame(message("welcome", {"version": 1, "session": "s", "heartbeat_ms": 20})))
        came.put_nowait(None)
        await gone.wait()
        writer.close()

    async def follow(client: OddsClient) -> None:
        async for _ in client.messages():
            pass

    server = await asyncio.start_server(welcome_and_fall_silent, "127.0.0.1", 0)
    following = asyncio.create_task(follow(OddsClient(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", ["sport:football"])))
    try:
        async with asyncio.timeout(_SOON_S):
            await came.get()
            await came.get()
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        gone.set()
        server.close()
