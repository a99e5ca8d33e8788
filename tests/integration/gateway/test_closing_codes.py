"""A client learns why it was closed, whatever it is still sending: a reset would take the closing code with it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from oddsengine.gateway.access.settings import LimitSettings
from tests.support.service import quick_settings, running_service

if TYPE_CHECKING:
    from collections.abc import Sequence

HANDSHAKE = (
    "GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}\r\n\r\n"
).encode()
MASK = bytes(4)


def masked(payload: bytes, *, first: int = 0x81) -> bytes:
    if len(payload) < 126:
        return bytes((first, 0x80 | len(payload))) + MASK + payload
    return bytes((first, 0x80 | 127)) + len(payload).to_bytes(8, "big") + MASK + payload


def closing_codes(received: bytes) -> Sequence[int]:
    """Return the codes of the closing frames among the gateway's frames."""
    codes, data = [], received.partition(b"\r\n\r\n")[2]
    while len(data) > 1:
        length, start = data[1], 2
        if length == 126:
            length, start = int.from_bytes(data[2:4], "big"), 4
        if data[0] & 0x0F == 8:
            codes.append(int.from_bytes(data[start : start + 2], "big"))
        data = data[start + length :]
    return codes


async def code_after(port: int, frames: bytes, *, times: int = 1) -> Sequence[int]:
    """Send frames without reading, and go on sending. Then read: a reset discards what was not read."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        await loop.sock_sendall(sock, HANDSHAKE)
        async with asyncio.timeout(30):
            received = await loop.sock_recv(sock, 65536)
            for _ in range(times):
                await loop.sock_sendall(sock, frames)
            for _ in range(4):
                await asyncio.sleep(0.05)
                try:
                    await loop.sock_sendall(sock, masked(b"x" * 20_000))
                except OSError:
                    break
            # A reset is harmless once the code has arrived.
            with contextlib.suppress(ConnectionResetError):
                while data := await loop.sock_recv(sock, 65536):
                    received += data
    return closing_codes(received)


PING = masked(b'{"op":"ping","id":1}')


@pytest.mark.parametrize(
    ("frames", "times", "code"),
    [
        (PING, 400, 4429),
        (masked(b"{"), 40, 4400),
        (masked(b"x" * 5000), 3, 1009),
        (bytes((0x81, 5)) + b"plain", 1, 1002),
        (masked(b"\xff\xff"), 3, 1007),
        (masked(b"", first=0x8F), 3, 1002),
    ],
    ids=["flood", "bad messages", "too long", "unmasked", "not UTF-8", "unknown opcode"],
)
async def test_the_closing_code_arrives_while_the_client_sends(frames: bytes, times: int, code: int) -> None:
    limits = LimitSettings(messages_per_s=100.0, message_bytes=1024)
    async with running_service(quick_settings(limits=limits)) as service:
        assert [code] == list(await code_after(service.port, frames, times=times))
