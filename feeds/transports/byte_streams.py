"""What carries a stream: plain TCP and TLS, WebSocket, and the body of a server-sent events answer."""

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

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from websockets.asyncio.client import ClientConnection

_READ_BYTES: Final = 256 * 1024
_OK: Final = 200
#: A message longer than this is no provider's.
_MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
_UNAUTHORISED: Final = frozenset({401, 403})


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
    """Opens a TCP connection, with TLS if asked.

    Args:
        host: name or address.
        port: TCP port.
        tls: whether to speak TLS and check the certificate against `host`.
        tls_context: trusted certificates; None: the system's.
    """

    def __init__(self, host: str, port: int, *, tls: bool, tls_context: ssl.SSLContext | None = None) -> None:
        self.host = host
        self.port = port
        self._context = (tls_context or ssl.create_default_context()) if tls else None

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[_TcpConnection]:
        """Open a connection; see `feeds.feed.Transport`."""
        reader, writer = await asyncio.open_connection(self.host, self.port, ssl=self._context)
        try:
            yield _TcpConnection(reader, writer)
        finally:
            # A half-open peer answers no send_goaway; nobody waits for one.
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
    """Opens a WebSocket; each message is handed over as a line.

    Args:
        url: gives the URL for each attempt; it may hold a key and is never shown.
        tls_context: trusted certificates; None: the system's.
        ping_s: how often to ping; the provider must answer within the same time.
    """

    def __init__(self, url: Callable[[], str], *, tls_context: ssl.SSLContext | None = None, ping_s: float = 30.0) -> None:
        self._url = url
        self._trusted = tls_context
        self._ping_s = ping_s

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[_WebSocketConnection]:
        """Open a connection; see `feeds.feed.Transport`."""
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
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def read(self) -> bytes:
        try:
            return await self._answer.content.readany()
        except aiohttp.ClientError as error:
            raise ContinuityLost(f"the connection broke: {type(error).__name__}") from None

    async def write(self, data: bytes) -> None:
        raise NotImplementedError(f"an answer's body takes no {len(data)} bytes")


class EventStreamTransport:
    """Opens a server-sent events stream and hands over its body.

    Args:
        session: the connections; its total timeout is not applied to the stream.
        url: gives path and query of each attempt, without secrets.
        headers: gives the headers of each attempt, secrets among them.
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
        """Open the stream; see `feeds.feed.Transport`."""
        url, params = self._url()
        headers = {"Accept": "text/event-stream", **self._headers()}
        endless = aiohttp.ClientTimeout(total=None, sock_connect=None)
        try:
            answer = await self._session.get(url, params=params, headers=headers, timeout=endless)
        except aiohttp.ClientConnectorError as error:
            raise ContinuityLost(f"can't connect: {error.os_error.strerror or type(error.os_error).__name__}") from None
        except aiohttp.ClientError as error:
            raise ContinuityLost(f"no event stream: {type(error).__name__}") from None
        try:
            if answer.status != _OK:
                words = (await answer.content.read(120)).decode("utf-8", "replace")
                raise ProviderRefused(f"HTTP {answer.status}", words, fatal=answer.status in _UNAUTHORISED)
            yield _BodyConnection(answer)
        finally:
            answer.close()
