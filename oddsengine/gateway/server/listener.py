"""Accept connections: bounded per address and by the process's file limit, and paused while the system has no room for more."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import aiofastnet
import structlog
from aiofastnet.selector_transport import SelectorSocketTransport

from oddsengine.common.tasks import end_tasks
from oddsengine.gateway.server.http_connection import NO_SOCKETS, Accepted, HttpConnection

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence

    from aiohttp import web
    from aiohttp.abc import AbstractAccessLogger

    from oddsengine.common.internal_errors import InternalErrors
    from oddsengine.gateway.access.rate_limits import ClientAddresses
    from oddsengine.gateway.server.http_connection import SocketEndpoint
    from oddsengine.gateway.server.timeouts import HandshakeTimeouts

#: No descriptor or memory is left (accept(2)). The connection stays in the queue: without a pause this would be a busy loop.
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_RETRY_S: Final = 0.5
#: Accepts count as recovered once there was room for this long.
_RECOVERED_S: Final = 5.0
#: How long TLS handshakes may take that are in progress when accepting ends.
_LAST_HANDSHAKES_S: Final = 0.5
#: Connections accepted in one go: others get their turn of the event loop in between.
_ACCEPTS_PER_TURN: Final = 256
_TOO_MANY: Final = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_log = structlog.get_logger(__name__)


class AcceptLimits(NamedTuple):
    """Limits on what is accepted.

    `connections_per_address`: open at once, whatever they carry; not counted for trusted proxies; 0: no limit. `connections`:
    open at once in this process; 0: as many as the system allows. `lost_s`: a connection whose client acknowledges nothing for
    this long is closed. `handshake_timeout_s`: for TLS; 0: no limit of its own.
    """

    connections_per_address: int = 0
    connections: int = 0
    lost_s: float = 60.0
    handshake_timeout_s: float = 0.0


class Acceptor:
    """Accepts the connections of a server, while its context is open.

    Args:
        server: handles their requests.
        sockets: bound and listening; closing them is up to the caller.
        certificate: for TLS; None for plain TCP.
        timeouts: tracks requests that have not arrived.
        addresses: distinguishes proxies from clients.
        limits: what is accepted.
        errors: counts unexpected errors.
        observer: is called with every answer that was written; None for nobody.
        endpoints: what opens sockets, by path; see `HttpConnection`.
        accept: accepts a connection of a socket.
    """

    def __init__(  # noqa: PLR0913 - it is wired once
        self,
        server: web.Server,
        sockets: Sequence[socket.socket],
        certificate: ssl.SSLContext | None,
        timeouts: HandshakeTimeouts,
        addresses: ClientAddresses,
        limits: AcceptLimits,
        errors: InternalErrors,
        observer: AbstractAccessLogger | None = None,
        endpoints: Mapping[str, SocketEndpoint] = NO_SOCKETS,
        accept: Callable[[socket.socket], tuple[socket.socket, tuple[str, int]]] = socket.socket.accept,
    ) -> None:
        self._server = server
        self._sockets = list(sockets)
        self._certificate = certificate
        self._timeouts = timeouts
        self._addresses = addresses
        self._limits = limits
        self._errors = errors
        self._observer = observer
        self._endpoints = endpoints
        self._accept = accept
        self._tasks: set[asyncio.Task[None]] = set()
        self._by_address: dict[str, int] = {}
        self._retry: asyncio.TimerHandle | None = None
        self._recovery: asyncio.TimerHandle | None = None
        #: connections open now, and those whose TLS handshake is in progress
        self.open = 0
        self.rejected_addresses = 0
        #: times that accepting was paused
        self.pauses = 0
        self.failed_handshakes = 0
        self.unmasked_frames = 0
        self.unreadable_requests = 0

    async def __aenter__(self) -> Self:
        for each in self._sockets:
            each.setblocking(False)
        self.use(self._limits)
        self._resume()
        return self

    def use(self, limits: AcceptLimits) -> None:
        """Accept by other limits from now on. Of an address, the connections count that were accepted while it had a limit."""
        self._limits = limits
        for each in self._sockets if hasattr(socket, "TCP_USER_TIMEOUT") else ():
            # Accepted sockets inherit it (tcp(7)). The default of Linux is to retry for about 15 minutes.
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * limits.lost_s))

    async def __aexit__(self, *_: object) -> None:
        # What waits is left to whoever else accepts on the same sockets, as the successor of a worker does.
        self._stop()
        for timer in (self._retry, self._recovery):
            if timer is not None:
                timer.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LAST_HANDSHAKES_S)
        await end_tasks(self._tasks)

    # -- accepting --------------------------------------------------------------------------------------------------

    def _resume(self) -> None:
        self._retry = None
        loop = asyncio.get_running_loop()
        for each in self._sockets:
            loop.add_reader(each.fileno(), self._accept_waiting, each)

    def _stop(self) -> None:
        loop = asyncio.get_running_loop()
        for each in self._sockets:
            loop.remove_reader(each.fileno())

    def _accept_waiting(self, listening: socket.socket) -> None:
        """Accept what waits on a socket."""
        for _ in range(_ACCEPTS_PER_TURN):
            if self._limits.connections and self.open >= self._limits.connections:
                self._pause(f"{self.open} connections are open, as many as the limit of open files has room for")
                return
            try:
                sock, address = self._accept(listening)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as problem:
                if problem.errno in _EXHAUSTED:
                    self._pause(str(problem))
                    return
                continue  # the connection is gone already
            self._receive(sock, str(address[0]))

    def _pause(self, reason: str) -> None:
        """Stop accepting for a moment, on all sockets."""
        if self._retry is not None:
            return  # another socket was found ready at the same time
        self._stop()
        self.pauses += 1
        loop = asyncio.get_running_loop()
        if self._recovery is None:
            _log.error("accepts paused", reason=reason, connections=self.open)
        else:
            self._recovery.cancel()
        self._recovery = loop.call_later(_RECOVERED_S, self._recovered)
        self._retry = loop.call_later(_RETRY_S, self._resume)

    def _recovered(self) -> None:
        self._recovery = None
        _log.info("accepting again", connections=self.open)

    def _receive(self, sock: socket.socket, remote: str) -> None:
        """Hand a connection to the server, unless its address has too many."""
        limit = self._limits.connections_per_address
        address = ""
        if limit and not self._addresses.is_trusted(remote):
            address = self._addresses.client(remote, ())
            if self._by_address.get(address, 0) >= limit:
                self.rejected_addresses += 1
                _reject(sock, plain=self._certificate is None)
                return
            self._by_address[address] = self._by_address.get(address, 0) + 1
        self.open += 1
        if self._certificate is None:
            self._connect_plain(sock, address)
            return
        task = asyncio.create_task(self._connect(sock, address), name="accept")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _connect_plain(self, sock: socket.socket, address: str) -> None:
        """Connect without TLS: nothing has to be awaited, so it takes no task."""
        loop = asyncio.get_running_loop()
        connection = self._connection(address, loop)
        try:
            SelectorSocketTransport(loop, sock, connection)
        except OSError:  # the connection is gone already
            sock.close()
            self._release(address)
            return
        self._timeouts.accepted(connection)

    async def _connect(self, sock: socket.socket, address: str) -> None:
        """Connect with TLS."""
        loop = asyncio.get_running_loop()
        connection: HttpConnection | None = None

        def accepted() -> HttpConnection:
            nonlocal connection
            connection = self._connection(address, loop)
            self._timeouts.accepted(connection)
            return connection

        tls_timeout_s = self._limits.handshake_timeout_s or None
        try:
            await aiofastnet.connect_accepted_socket(
                loop, accepted, sock, ssl=self._certificate, ssl_handshake_timeout=tls_timeout_s
            )
        except OSError as problem:  # ssl.SSLError is one
            self.failed_handshakes += 1
            _log.debug("handshake failed", error=str(problem))
            sock.close()
            if connection is not None:
                self._timeouts.forget(connection)
            self._release(address)

    def _connection(self, address: str, loop: asyncio.AbstractEventLoop) -> HttpConnection:
        return HttpConnection(self._server, self, address, loop, self._observer, self._endpoints)

    def _release(self, address: str) -> None:
        self.open -= 1
        if address:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    # -- what connections report ------------------------------------------------------------------------------------

    def received(self, connection: HttpConnection) -> None:
        """Handle bytes of an HTTP request."""
        self._timeouts.received(connection)

    def unmasked(self, _connection: Accepted) -> None:
        """Count an unmasked frame."""
        self.unmasked_frames += 1

    def unreadable(self, _connection: HttpConnection) -> None:
        """Count a request that can't be read."""
        self.unreadable_requests += 1

    def failed(self, _connection: HttpConnection, problem: Exception) -> None:
        """Count an error that nothing expected."""
        self._errors.note("connection", problem)

    def lost(self, connection: Accepted) -> None:
        """Stop counting a connection."""
        if isinstance(connection, HttpConnection):
            self._timeouts.forget(connection)
        self._release(connection.address)


def _reject(sock: socket.socket, *, plain: bool) -> None:
    """Close a connection, with an answer if it is not encrypted."""
    sock.setblocking(False)
    if plain:
        with suppress(OSError):
            sock.recv(65536)  # unread bytes would reset the connection, and the client might not see the answer
        with suppress(OSError):
            sock.send(_TOO_MANY)
    sock.close()
