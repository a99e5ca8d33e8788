"""Which requests a connection takes for handshakes, and what it leaves to aiohttp."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.http import RequestRejected, error
from oddsengine.common.internal_errors import InternalErrors
from oddsengine.gateway.access.rate_limits import ClientAddresses
from oddsengine.gateway.server.http_connection import HttpConnection
from oddsengine.gateway.server.listener import AcceptLimits, Acceptor
from oddsengine.gateway.server.timeouts import HandshakeTimeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HANDSHAKE = b"GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
GET = b"GET /other HTTP/1.1\r\nHost: x\r\n\r\n"


class Echo(asyncio.Protocol):
    """Writes back what it receives."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


class Sockets:
    """Opens sockets that echo; refuses those that ask for it."""

    def __init__(self) -> None:
        self.opened: list[str] = []

    async def open(self, request: web.BaseRequest) -> None:
        self.opened.append(request.path_qs)
        http, transport = request.protocol, request.transport
        assert isinstance(http, HttpConnection)
        assert transport is not None
        await asyncio.sleep(0)
        if "refuse" in request.query:
            raise RequestRejected(error(403, ErrorCode.FORBIDDEN, "no"))
        transport.write(b"opened ")
        http.hand_over(Echo(transport))


async def by_route(request: web.BaseRequest) -> web.StreamResponse:
    """Answer what was left to aiohttp, on a connection that stays open."""
    http = request.protocol
    assert isinstance(http, HttpConnection)
    try:
        http.raise_refusal()
    except RequestRejected as rejected:
        return rejected.response
    return web.Response(text=f"{request.method} {request.path}", headers={"Connection": "keep-alive"})


@asynccontextmanager
async def a_server() -> AsyncIterator[tuple[Sockets, asyncio.StreamReader, asyncio.StreamWriter]]:
    sockets, server, timeouts = Sockets(), web.Server(by_route), HandshakeTimeouts(0.0, time.monotonic)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        wiring = (server, [listening], None, timeouts, ClientAddresses(()), AcceptLimits(), InternalErrors())
        async with Acceptor(*wiring, endpoints={"/socket": sockets}):
            reader, writer = await asyncio.open_connection(*listening.getsockname()[:2])
            yield sockets, reader, writer
            writer.close()


async def until(reader: asyncio.StreamReader, end: bytes) -> bytes:
    async with asyncio.timeout(30):
        return await reader.readuntil(end)


async def test_a_handshake_opens_a_socket_with_what_follows_it() -> None:
    async with a_server() as (sockets, reader, writer):
        writer.write(HANDSHAKE[:30])
        await asyncio.sleep(0.01)
        writer.write(HANDSHAKE[30:] + b"frames")
        assert b"opened frames" == await until(reader, b"frames")
        writer.write(b"more")
        assert b"more" == await until(reader, b"more")
        assert ["/socket"] == sockets.opened


async def test_a_refused_handshake_is_answered_by_its_route_on_a_connection_that_goes_on() -> None:
    async with a_server() as (sockets, reader, writer):
        writer.write(HANDSHAKE.replace(b"/socket", b"/socket?refuse") + GET)
        assert b"403" in await until(reader, b'"no"}}')
        assert b"200" in await until(reader, b"GET /other")
        assert ["/socket?refuse"] == sockets.opened


async def test_all_other_requests_are_left_to_aiohttp() -> None:
    async with a_server() as (sockets, reader, writer):
        for request, answered in (
            (HANDSHAKE.replace(b"/socket", b"/other"), b"GET /other"),
            (HANDSHAKE, b"GET /socket"),  # it is not the first request
        ):
            writer.write(request)
            await until(reader, answered)
        assert [] == sockets.opened
    for request in (
        GET + HANDSHAKE,
        HANDSHAKE.replace(b"GET", b"PUT"),
        HANDSHAKE.replace(b"Host", b"Expect: 100-continue\r\nHost"),
        HANDSHAKE.replace(b"Host", b"Content-Length: 1\r\nHost") + b"x",
    ):
        async with a_server() as (sockets, reader, writer):
            writer.write(request)
            assert b"200" in await until(reader, b"/other" if request.startswith(GET) else b"/socket")
            assert [] == sockets.opened


async def test_what_arrives_while_a_connection_is_closed_is_not_carried_out() -> None:
    """RFC 9112, section 9.6: no request after the last one. TLS passes on what has come by then."""
    handled: list[str] = []
    closed = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        handled.append(request.path)
        answer = web.Response()
        answer.force_close()
        return answer

    class Flushing(asyncio.Transport):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            assert data

        def is_closing(self) -> bool:
            return closed.is_set()

        def close(self) -> None:
            closed.set()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        timeouts, server = HandshakeTimeouts(0.0, time.monotonic), web.Server(handle)
        acceptor = Acceptor(server, [listening], None, timeouts, ClientAddresses(()), AcceptLimits(), InternalErrors())
        connection = HttpConnection(server, acceptor, "", asyncio.get_running_loop())
        connection.connection_made(Flushing())
        connection.data_received(GET)
        await closed.wait()
        connection.data_received(GET)
        for _ in range(10):
            await asyncio.sleep(0)
    assert ["/other"] == handled
