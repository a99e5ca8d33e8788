"""Hostile clients: nothing crashes or leaks, and well-behaved clients are not affected."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import random
import socket
import struct
import zlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import web
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from oddsengine.gateway.access.settings import AuthSettings, LimitSettings
from oddsengine.gateway.fanout.session import Session
from oddsengine.gateway.server.http_connection import HttpConnection
from oddsengine.gateway.server.sockets.connection import SocketConnection
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.service import RunningService, quick_settings, running_service, wait_until
from tests.support.subscribers import Steady, assert_equal_to_snapshot, subscribers_running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HELLO = (
    b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
BAD_MESSAGES = 10_000
PER_SOCKET = 21  # one more than is tolerated
HOSTILE_CLIENTS = 10


@asynccontextmanager
async def with_a_steady_client(**limits: Any) -> AsyncIterator[tuple[RunningService, Steady]]:
    """Run a service with a moving market and a well-behaved subscriber, which must have received everything in the end."""
    async with running_service(quick_settings(limits=LimitSettings(**limits))) as service:
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        steady = Steady(service, "sport:football")
        async with subscribers_running(steady):
            await wait_until(lambda: bool(steady.state.markets), "the snapshot")
            moving = asyncio.create_task(_move(service))
            try:
                yield service, steady
            finally:
                moving.cancel()
            before = steady.rule.messages
            service.feed(*market_updates(a_definition(), a_quote("home", 2.5), a_quote("away", 1.68)))
            await wait_until(lambda: steady.rule.messages > before, "the next delta")
            await assert_equal_to_snapshot(service, "sport:football", steady)
            assert 0 == steady.client.reconnects, "the well-behaved client stays connected"
            await wait_until(lambda: len(service.hub.sessions) == 1, "the end of the other sessions")
        await wait_until(lambda: len(service.hub.sessions) == 0, "the end of all sessions")
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, Session)], "no session is left in memory"


async def _move(service: RunningService) -> None:
    while True:
        for odds in (2.0, 2.1):
            service.feed(*market_updates(a_definition(), a_quote("home", odds), a_quote("away", odds / (odds - 1))))
            await asyncio.sleep(0.01)


async def raw(
    service: RunningService, *, upgraded: bool = True, extra: bytes = b""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    if upgraded:
        writer.write(HELLO + extra + b"\r\n")
        assert b"101" in await reader.readline()
        while await reader.readline() != b"\r\n":
            pass
    return reader, writer


async def read_to_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Read until the server has closed the connection."""
    try:
        async with asyncio.timeout(30):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


def masked(payload: bytes, opcode: int = 1, *, first: int = 0x80) -> bytes:
    """Return a client's frame, masked with zeros."""
    size = len(payload)
    length = bytes((0x80 | size,)) if size < 126 else bytes((0x80 | 126,)) + struct.pack("!H", size)
    return bytes((first | opcode,)) + length + b"\0\0\0\0" + payload


async def test_a_handshake_that_never_ends_times_out() -> None:
    async with with_a_steady_client(handshake_timeout_s=2.0) as (service, _):
        slow = []
        for sent in (b"", b"GET /v1", HELLO, b"\x16\x03\x01", b"POST /v1/quotes/check HTTP/1.1\r\nHost: x\r\n"):
            reader, writer = await raw(service, upgraded=False)
            writer.write(sent)
            slow.append(read_to_end(reader, writer))
        await asyncio.gather(*slow)
        async with service.socket() as fine:
            await asyncio.sleep(2.5)
            await fine.subscribe("sport:football")


async def test_a_message_that_is_too_long_ends_only_its_session() -> None:
    async with with_a_steady_client(message_bytes=2000) as (service, _), service.socket() as client:
        await client.connection.send("x" * 2001)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await client.connection.recv()
        assert closed.value.rcvd is not None
        assert 1009 == closed.value.rcvd.code


async def test_a_compression_bomb_is_not_inflated() -> None:
    """One kilobyte would inflate to a megabyte."""
    async with with_a_steady_client(message_bytes=10_000) as (service, _):
        reader, writer = await raw(service, extra=b"Sec-WebSocket-Extensions: permessage-deflate\r\n")
        squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
        bomb = (squeeze.compress(b"[" * 1_000_000) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]
        assert len(bomb) < 2_000
        writer.write(masked(bomb, first=0xC0))
        assert struct.pack("!H", 1009) in await read_to_end(reader, writer)


async def test_a_half_closed_socket_ends_its_session() -> None:
    async with with_a_steady_client() as (service, _):
        reader, writer = await raw(service)
        writer.write(masked(b'{"op":"subscribe","channels":["sport:football"]}'))
        await wait_until(lambda: len(service.hub.sessions) == 2, "the session")
        writer.write_eof()
        assert b"subscribed" in await read_to_end(reader, writer)


async def test_a_broken_connection_is_freed_without_the_garbage_collector() -> None:
    """The collector is configured to run rarely, and there may be thousands of broken connections an hour."""
    async with with_a_steady_client() as (service, _):
        gc.collect()
        before = kept(SocketConnection), kept(HttpConnection), kept(web.BaseRequest)
        gc.disable()
        try:
            reader, writer = await raw(service)
            await wait_until(lambda: len(service.hub.sessions) == 2, "the session")
            requests = before[1:]
            await wait_until(lambda: requests == (kept(HttpConnection), kept(web.BaseRequest)), "release of the request")
            assert before[0] + 1 == kept(SocketConnection)
            assert b"welcome" in await reader.read(1000)
            writer.transport.abort()
            await wait_until(lambda: len(service.hub.sessions) == 1, "the end of all sessions")
            await wait_until(lambda: kept(SocketConnection) == before[0], "release of the connection")
        finally:
            gc.enable()


def kept(kind: type[object]) -> int:
    """Return how many objects of a class are in memory."""
    return len([each for each in gc.get_objects() if isinstance(each, kind)])


def malformed(seed: random.Random) -> bytes:
    """Return bytes that are not a valid message, some of them nearly one."""
    kind = seed.randrange(5)
    good = orjson.dumps({"op": "subscribe", "id": 1, "channels": ["sport:football"], "min_interval_ms": 0})
    if kind == 0:
        return seed.randbytes(seed.randrange(1, 80)).hex().encode()
    if kind == 1:
        cut = bytearray(good)
        cut[seed.randrange(len(cut))] = seed.randrange(32, 127)
        return bytes(cut[: seed.randrange(1, len(cut))])
    if kind == 2:
        return orjson.dumps({"op": seed.choice(["subscribe", "dance", "", 5]), "channels": seed.choice([[], 5, "x", None, [1]])})
    if kind == 3:
        return b"[" * seed.randrange(1, 2000)
    return orjson.dumps({"op": "subscribe", "channels": ["sport:x"], "min_interval_ms": seed.choice([-1, 1e9, "x"])})


async def test_ten_thousand_malformed_messages_are_counted_and_end_their_sessions() -> None:
    async with with_a_steady_client() as (service, _):
        url = service.base.replace("http", "ws") + "/v1/stream"
        before = service.hub.counters.bad_messages

        async def send_malformed(seed: random.Random) -> None:
            sent = 0
            while sent < BAD_MESSAGES / HOSTILE_CLIENTS:
                async with connect(url, compression=None) as client:
                    try:
                        for _ in range(PER_SOCKET):
                            await client.send(malformed(seed).decode("latin-1"))
                            sent += 1
                        while True:
                            await client.recv()
                    except ConnectionClosed as closed:
                        assert closed.rcvd is not None
                        assert 4400 == closed.rcvd.code

        await asyncio.gather(*(send_malformed(random.Random(number)) for number in range(HOSTILE_CLIENTS)))
        assert service.hub.counters.bad_messages - before >= BAD_MESSAGES * 0.95


async def test_random_bytes_instead_of_frames_end_their_session() -> None:
    """With every opcode, flag and length that random bytes contain."""
    seed = random.Random(7)
    async with with_a_steady_client() as (service, _):
        for number in range(150):
            reader, writer = await raw(service)
            noise = seed.randbytes(seed.randrange(1, 300)) if number % 2 else bytes([number]) * 64
            writer.write(masked(b'{"op":"ping"}') + noise)
            await writer.drain()
            if number % 3:
                writer.transport.abort()
            else:
                writer.write_eof()
                await read_to_end(reader, writer)


PING, PONG = 9, 10
REQUESTS = 1000


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_a_flood_of_pings_ends_only_its_session(opcode: int) -> None:
    async with with_a_steady_client() as (service, _):
        reader, writer = await raw(service)
        writer.write(masked(b"ohai", opcode))
        if opcode == PING:
            await reader.readuntil(b"\x8a\x04ohai")
        writer.write(masked(b"", opcode) * 5000)
        assert struct.pack("!H", 4429) in await read_to_end(reader, writer)


async def test_pings_do_not_extend_the_authentication_timeout() -> None:
    async with running_service(quick_settings(auth=AuthSettings(anonymous_role=""))) as service:
        reader, writer = await raw(service)
        writer.write(masked(b"", PING) * 5000)
        assert struct.pack("!H", 4400) in await read_to_end(reader, writer)


async def test_requests_of_a_client_that_does_not_read_are_not_read() -> None:
    """Its answers would pile up: each request is answered with 30 kB."""
    async with with_a_steady_client(messages_per_s=0.0) as (service, _):
        reader, writer = await raw(service)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await wait_until(lambda: len(service.hub.sessions) == 2, "the session")
        request = masked(orjson.dumps({"op": "unsubscribe", "channels": ["sport:" + "x" * 30_000]}))
        most = 0
        for _ in range(REQUESTS):
            writer.write(request)
            await asyncio.sleep(0)
            most = max(most, *(session.backlog() for session in service.hub.sessions))
        assert most < 500_000
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        answers = 0
        while answers < REQUESTS:
            answers += (await reader.readuntil(b"}")).count(b"unsubscribed")
        writer.close()


#: A Berkeley packet filter that drops everything: "ret 0".
NOTHING_PASSES = struct.pack("HBBI", 0x06, 0, 0, 0)
SO_ATTACH_FILTER = 26


async def test_a_client_is_read_that_has_sent_a_lot_along_with_its_handshake() -> None:
    async with with_a_steady_client(messages_per_s=0.0) as (service, _):
        reader, writer = await raw(service, upgraded=False)
        writer.write(HELLO + b"\r\n" + masked(b'{"op":"ping","id":1}') * 5000)
        async with asyncio.timeout(30):
            answers = 0
            while answers < 5000:
                answers += (await reader.readuntil(b"}")).count(b'"pong"')
            writer.write(masked(b'{"op":"ping","id":"last"}'))
            assert b"pong" in await reader.readuntil(b'"last"}')
        writer.transport.abort()


async def test_an_unreachable_client_is_disconnected() -> None:
    """It sends and acknowledges nothing, like a phone whose battery is empty."""
    async with with_a_steady_client(slow_client_timeout_s=2.0) as (service, _):
        reader, writer = await raw(service)
        writer.write(masked(b'{"op":"subscribe","channels":["sport:football"]}'))
        await reader.readuntil(b"snapshot")
        assert 2 == len(service.hub.sessions)
        buffer = ctypes.create_string_buffer(NOTHING_PASSES)
        program = struct.pack("HL", 1, ctypes.addressof(buffer))
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        await wait_until(lambda: len(service.hub.sessions) == 1, "the end of its session")
        assert 0 == service.hub.counters.slow_consumer_disconnects, "its socket was never full"
        writer.transport.abort()


async def test_what_a_client_has_sent_is_not_read_once_it_is_gone() -> None:
    """Each request is followed by a hundredth of a second in which its session is not read. The loss shows with an answer."""
    async with with_a_steady_client() as (service, _):
        _, writer = await raw(service)
        channels = [f"event:{number}" for number in range(20)]
        writer.write(masked(orjson.dumps({"op": "subscribe", "channels": channels})) * 150)
        await wait_until(lambda: service.hub.counters.refused_channels > 0, "the first request")
        writer.transport.abort()
        await wait_until(lambda: len(service.hub.sessions) == 1, "the end of its session")
        assert service.hub.counters.refused_channels <= 50 * len(channels)
