"""Transports of streams: bytes in both directions, and every failure an OSError or a FeedError."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from websockets.asyncio.server import serve

from feeds.errors import ContinuityLost, ProviderRefused
from feeds.toolkit.credentials import load_ca
from feeds.transports.byte_streams import EventStreamTransport, TcpTransport, WebSocketTransport
from feeds.transports.http import http_session
from tests.support.credentials import Certificates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from websockets.asyncio.server import ServerConnection
    from websockets.http11 import Request, Response


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Return one chunk and close."""
    writer.write(await reader.read(100))
    await writer.drain()
    writer.close()


@asynccontextmanager
async def tcp_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def test_tcp_carries_bytes_both_ways_until_the_provider_closes() -> None:
    async with tcp_server() as port, TcpTransport("127.0.0.1", port, tls=False).connect() as connection:
        await connection.write(b"hello")
        assert b"hello" == await connection.read()
        assert b"" == await connection.read()


async def test_tls_is_refused_unless_the_certificate_is_trusted(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    async with tcp_server(certificates.server()) as port:
        trusted = load_ca(str(certificates.trusted))
        async with TcpTransport("127.0.0.1", port, tls=True, tls_context=trusted).connect() as connection:
            await connection.write(b"hello")
            assert b"hello" == await connection.read()
        with pytest.raises(ssl.SSLCertVerificationError):
            await TcpTransport("127.0.0.1", port, tls=True).connect().__aenter__()


async def test_every_websocket_message_is_a_line() -> None:
    async def serve_messages(socket: ServerConnection) -> None:
        asked = await socket.recv()
        await socket.send(f"text {asked!r}")
        await socket.send(b"binary\n")

    async with serve(serve_messages, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with WebSocketTransport(lambda: f"ws://127.0.0.1:{port}/?key=secret").connect() as connection:
            await connection.write(b"a")
            assert b"text 'a'\n" == await connection.read()
            assert b"binary\n" == await connection.read()
            assert b"" == await connection.read(), "closed"


async def test_a_broken_websocket_is_a_loss_of_continuity() -> None:
    async def abort(socket: ServerConnection) -> None:
        socket.transport.abort()

    async with serve(abort, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with WebSocketTransport(lambda: f"ws://127.0.0.1:{port}").connect() as connection:
            with pytest.raises(ContinuityLost, match="the connection broke"):
                await connection.read()
            with pytest.raises(ContinuityLost, match="the connection broke"):
                await connection.write(b"x")


@pytest.mark.parametrize(("status", "fatal"), [(HTTPStatus.UNAUTHORIZED, True), (HTTPStatus.SERVICE_UNAVAILABLE, False)])
async def test_a_refused_websocket_handshake_is_fatal_if_the_key_was_not_accepted(*, status: HTTPStatus, fatal: bool) -> None:
    def refuse(socket: ServerConnection, _: Request) -> Response:
        return socket.respond(status, "no")

    async def never(_: ServerConnection) -> None:
        raise AssertionError

    async with serve(never, "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with pytest.raises(ProviderRefused, match=f"HTTP {status.value}") as refusal:
            await WebSocketTransport(lambda: f"ws://127.0.0.1:{port}/?key=secret").connect().__aenter__()
    assert fatal == refusal.value.fatal
    assert "secret" not in str(refusal.value)


@asynccontextmanager
async def event_stream(handler: Any) -> AsyncIterator[EventStreamTransport]:
    app = web.Application()
    app.router.add_get("/stream", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/stream"
        async with http_session(5.0) as session:
            yield EventStreamTransport(session, lambda: (url, {"since": "7"}), lambda: {"X-Key": "secret"})
    finally:
        await runner.cleanup()


async def test_an_event_stream_returns_the_bytes_of_the_body() -> None:
    async def stream(request: web.Request) -> web.Response:
        assert ("7", "secret", "text/event-stream") == (
            request.query["since"],
            request.headers["X-Key"],
            request.headers["Accept"],
        )
        return web.Response(text="data: 1\n\n")

    async with event_stream(stream) as transport, transport.connect() as connection:
        assert b"data: 1\n\n" == await connection.read()
        assert b"" == await connection.read()
        with pytest.raises(NotImplementedError, match="read-only"):
            await connection.write(b"x")


async def test_an_event_stream_that_breaks_off_is_a_loss_of_continuity() -> None:
    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with event_stream(stream) as transport, transport.connect() as connection:
        with pytest.raises((ContinuityLost, OSError)):
            while await connection.read():
                pass


@pytest.mark.parametrize(("status", "fatal"), [(403, True), (500, False)])
async def test_a_refused_event_stream_is_fatal_if_the_key_was_not_accepted(*, status: int, fatal: bool) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status, text="no")

    async with event_stream(refuse) as transport:
        with pytest.raises(ProviderRefused, match=f"HTTP {status}: no") as refusal:
            await transport.connect().__aenter__()
    assert fatal == refusal.value.fatal


async def test_an_unreachable_event_stream_is_a_loss_of_continuity() -> None:
    async with http_session(1.0) as session:
        transport = EventStreamTransport(session, lambda: ("http://127.0.0.1:1/", {"key": "secret"}), dict)
        with pytest.raises(ContinuityLost, match="can't connect") as loss:
            await transport.connect().__aenter__()
    assert "secret" not in str(loss.value)
