"""Transports of streams: TCP, TLS, WebSocket, and the body of a server-sent events response."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import aiohttp
from websockets.asyncio.client import connect as connect_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException

from feeds.errors import ContinuityLost, ProviderRefused
from feeds.transports.http import REDIRECTS, redirect_text
from oddsengine.common.excerpts import excerpt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from websockets.asyncio.client import ClientConnection

_READ_BYTES: Final = 256 * 1024
_OK: Final = 200
#: Longer messages are refused: no provider sends them.
_MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
_UNAUTHORISED: Final = frozenset({401, 403})
#: What an error page is, that comes with 200 too.
_PAGES: Final = frozenset({"text/html", "application/json"})


class _TcpConnection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        return await self._reader.read(_READ_BYTES)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


class TcpTransport:
    """Opens TCP connections, with or without TLS.

    Args:
        host: name or address.
        port: TCP port.
        tls: whether to use TLS and verify that the certificate is for `host`.
        tls_context: trusted certificates; None for the system's.
    """

    def __init__(self, host: str, port: int, *, tls: bool, tls_context: ssl.SSLContext | None = None) -> None:
        self.host = host
        self.port = port
        self._context = (tls_context or ssl.create_default_context()) if tls else None

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[_TcpConnection]:
        """Open a connection (see `feeds.feed.Transport`)."""
        reader, writer = await asyncio.open_connection(self.host, self.port, ssl=self._context)
        try:
            yield _TcpConnection(reader, writer)
        finally:
            # A half-open peer would never acknowledge a graceful close.
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


class _WebSocketConnection:
    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        try:
            message = await self._socket.recv(decode=False)
        except ConnectionClosed as closed:
            if closed.rcvd is None:
                raise ContinuityLost("the connection broke") from closed
            return b""
        return message if message.endswith(b"\n") else message + b"\n"

    async def write(self, data: bytes) -> None:
        try:
            await self._socket.send(data.decode())
        except ConnectionClosed as closed:
            raise ContinuityLost("the connection broke") from closed


class WebSocketTransport:
    """Opens WebSockets. Every message is returned as a line.

    Args:
        url: returns the URL for an attempt. It may contain a key and appears in no error.
        tls_context: trusted certificates; None for the system's.
        ping_s: seconds between pings, and how long the provider may take to answer one.
    """

    def __init__(self, url: Callable[[], str], *, tls_context: ssl.SSLContext | None = None, ping_s: float = 30.0) -> None:
        self._url = url
        self._trusted = tls_context
        self._ping_s = ping_s

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[_WebSocketConnection]:
        """Open a connection (see `feeds.feed.Transport`)."""
        url = self._url()
        tls = self._trusted if url.startswith("wss:") and self._trusted else None
        try:
            socket = await connect_websocket(
                url,
                max_size=_MAX_MESSAGE_BYTES,
                ping_interval=self._ping_s,
                ping_timeout=self._ping_s,
                close_timeout=0.1,
                **({"ssl": tls} if tls else {}),  # type: ignore[arg-type]
            )
        except InvalidHandshake as refusal:
            status = getattr(getattr(refusal, "response", None), "status_code", 0)
            raise ProviderRefused(f"HTTP {status}", "no WebSocket", fatal=status in _UNAUTHORISED) from None
        except WebSocketException as error:
            raise ContinuityLost(f"no WebSocket: {type(error).__name__}") from None
        try:
            yield _WebSocketConnection(socket)
        finally:
            socket.transport.abort()
            await socket.wait_closed()


class _BodyConnection:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def read(self) -> bytes:
        try:
            return await self._response.content.readany()
        except aiohttp.ClientError as error:
            raise ContinuityLost(f"the connection broke: {type(error).__name__}") from None

    async def write(self, data: bytes) -> None:
        raise NotImplementedError(f"an event stream is read-only; {len(data)} bytes were to be written")


class EventStreamTransport:
    """Opens streams of server-sent events and returns the bytes of their body.

    Args:
        session: the connection pool. Its total timeout does not apply to the stream.
        url: returns the URL and the query of an attempt, without secrets.
        headers: returns the headers of an attempt, with secrets.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: Callable[[], tuple[str, Mapping[str, str]]],
        headers: Callable[[], Mapping[str, str]],
    ) -> None:
        self._session = session
        self._url = url
        self._headers = headers

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[_BodyConnection]:
        """Open a stream (see `feeds.feed.Transport`)."""
        url, params = self._url()
        headers = {"Accept": "text/event-stream", **self._headers()}
        endless = aiohttp.ClientTimeout(total=None, sock_connect=None)
        try:
            # A redirect would send the key to whichever host it names.
            response = await self._session.get(url, params=params, headers=headers, timeout=endless, allow_redirects=False)
        except aiohttp.ClientConnectorError as error:
            raise ContinuityLost(f"can't connect: {error.os_error.strerror or type(error.os_error).__name__}") from None
        except aiohttp.ClientError as error:
            raise ContinuityLost(f"no event stream: {type(error).__name__}") from None
        try:
            if response.status in REDIRECTS:
                raise ContinuityLost(f"no event stream: {redirect_text(response, 'url')}")
            if response.status != _OK:
                message = (await response.content.read(120)).decode("utf-8", "replace")
                raise ProviderRefused(f"HTTP {response.status}", message, fatal=response.status in _UNAUTHORISED)
            if response.content_type in _PAGES:
                message = excerpt(await response.content.read(120))
                raise ContinuityLost(f"a page instead of an event stream: {message}")
            yield _BodyConnection(response)
        finally:
            response.close()
