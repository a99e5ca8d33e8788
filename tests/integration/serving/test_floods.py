"""Clients that ask for too much: refusals are bounded, connections are counted, and neighbours are served meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import struct
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from oddsengine.gateway.access.settings import LimitSettings
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import Certificates
from tests.support.service import PATIENCE_S, RunningService, quick_settings, running_service, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HELLO = (
    b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


async def with_a_market(service: RunningService) -> None:
    service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
    await service.wait_published()


async def ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Read until the server has closed the connection."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


async def test_refusals_of_a_thousand_channels_are_one_message_and_do_not_keep_others_waiting() -> None:
    """Five sockets name a thousand unknown channels again and again."""
    names = [f"event:nope{number}" for number in range(1000)]
    messages = 20
    async with running_service() as service, service.socket() as neighbour:
        await with_a_market(service)
        await neighbour.subscribe("event:e1")
        floods = [service.socket() for _ in range(5)]
        sockets = [await each.__aenter__() for each in floods]
        try:
            for _ in range(messages):
                for socket in sockets:
                    await socket.send(op="subscribe", id=7, channels=names)
            async with service.http.get(service.base + "/healthz") as response:
                assert 200 == response.status
            for number in range(3):
                await neighbour.send(op="ping", id=number)
                await neighbour.receive_until("pong")
            refused = service.hub.counters.refused_channels
            assert refused < 5 * messages * len(names), "the flood is still being worked off"
            for socket in sockets:
                await socket.receive_until("welcome")
                answer = await socket.receive()
                assert ("error", 7, "unknown_channel", names) == tuple(answer[key] for key in ("op", "id", "code", "channels"))
        finally:
            for socket in sockets:
                socket.connection.transport.abort()
            for each in floods:
                await each.__aexit__(None, None, None)
        await wait_until(lambda: len(service.hub.sessions) == 1, "the end of the other sessions")


async def test_a_channel_named_a_thousand_times_is_answered_once() -> None:
    async with running_service() as service:
        await with_a_market(service)
        async with service.socket() as socket:
            assert ["event:e1"] == (await socket.subscribe(*["event:e1"] * 1000))["channels"]
            assert "snapshot" == (await socket.receive())["op"]
            await socket.send(op="unsubscribe", id=2, channels=["event:e1"] * 1000)
            assert ["event:e1"] == (await socket.receive())["channels"], "nothing came in between"


@pytest.mark.parametrize("before", [b"", b"\x81\x8d\0\0\0\0" + b'{"op":"ping"}'])
async def test_an_unmasked_frame_closes_the_socket_with_1002(before: bytes) -> None:
    """In the packet of the handshake, or after a masked frame."""
    unmasked = b"\x81\x0d" + b'{"op":"ping"}'
    async with running_service() as service:
        for apart in (False, True):
            reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
            writer.write(HELLO if apart else HELLO + before + unmasked)
            if apart:
                await reader.readuntil(b"welcome")
                writer.write(before + unmasked)
            assert struct.pack("!H", 1002) in await ended(reader, writer)
        await wait_until(lambda: not service.hub.sessions, "the end of the sessions")


async def test_connections_that_are_idle_or_send_half_a_request_are_closed() -> None:
    limits = LimitSettings(idle_timeout_s=2.0, handshake_timeout_s=2.0)
    half = b"POST /v1/quotes/check HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"
    async with running_service(quick_settings(limits=limits)) as service, service.socket() as neighbour:
        await neighbour.subscribe("sport:football")
        closing = []
        for rest in (b"", b"GET /v1/ev", half, b"GET /x HTTP/1.1\r\nA: "):
            reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
            writer.write(HEALTHZ)
            await reader.readuntil(b'"ok"}')
            writer.write(rest)
            closing.append(ended(reader, writer))
        assert [b""] * 4 == await asyncio.gather(*closing)
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        for _ in range(8):  # longer than the timeout
            writer.write(HEALTHZ)
            await reader.readuntil(b'"ok"}')
            await asyncio.sleep(0.3)
        writer.close()
        await neighbour.send(op="ping", id=1)
        await neighbour.receive_until("pong")


async def test_a_tls_handshake_that_never_ends_is_closed(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    limits = LimitSettings(handshake_timeout_s=2.0)
    settings = quick_settings(limits=limits, tls_cert=str(certificates.good), tls_key=str(certificates.good))
    async with running_service(settings) as service:
        closing = []
        for sent in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
            writer.write(sent)
            closing.append(ended(reader, writer))
        await asyncio.gather(*closing)
        trusted = ssl.create_default_context(cafile=str(certificates.trusted))
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port, ssl=trusted)
        writer.write(HEALTHZ)
        await reader.readuntil(b'"ok"}')
        writer.close()


#: A whole process starts in a second, but not on a machine that many share.
START_PATIENCE_S = 90.0
CONFIG = """
[gateway]
port = 0
[feeds.sim]
adapter = "simulator"
matches = 2
"""


def cpu_s(pid: int) -> float:
    """Return the processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def log_lines(process: asyncio.subprocess.Process) -> AsyncIterator[dict[str, Any]]:
    assert process.stderr is not None
    async for line in process.stderr:
        yield orjson.loads(line)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads processor times from /proc")
async def test_a_process_without_file_descriptors_pauses_says_so_once_and_recovers(tmp_path: Path) -> None:
    config = tmp_path / "odds.toml"
    config.write_text(CONFIG)
    command = f"ulimit -n 60; exec {sys.executable} -m oddsengine run -c {config}"
    process = await asyncio.create_subprocess_exec("bash", "-c", command, stderr=asyncio.subprocess.PIPE, limit=1 << 20)
    try:
        lines = log_lines(process)
        async with asyncio.timeout(START_PATIENCE_S):
            async for line in lines:
                if line["event"] == "serving":
                    port = int(line["url"].rpartition(":")[2])
                    break
        connections = [await asyncio.open_connection("127.0.0.1", port) for _ in range(120)]
        for _, writer in connections:
            writer.write(HELLO)
        async with asyncio.timeout(START_PATIENCE_S):
            async for line in lines:
                if line["event"] == "accepts paused":
                    break
        before_s, since_s = cpu_s(process.pid), time.monotonic()
        await asyncio.sleep(2.0)
        assert cpu_s(process.pid) - before_s < 0.5 * (time.monotonic() - since_s), "no busy loop"
        for _, writer in connections:
            writer.transport.abort()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEALTHZ)
        async with asyncio.timeout(START_PATIENCE_S):
            await reader.readuntil(b'"ok"}')
        writer.close()
    finally:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(START_PATIENCE_S):
            rest = [line async for line in lines]
            assert 0 == await process.wait()
    assert not [line for line in rest if line["level"] == "error"], "one line for all of it"
