"""A role's port: bound before anything is taken over, answering from then on, and never shared with another program."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import ExitStack, asynccontextmanager, contextmanager, nullcontext
from ipaddress import ip_address
from math import inf
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from aiohttp.web_log import AccessLogger

from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.http import error
from oddsengine.common.tasks import end_tasks
from oddsengine.runtime.processes.run_file import announced
from oddsengine.runtime.processes.startup import Step

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator, Sequence

    from oddsengine.runtime.processes.startup import Startup

#: Hosts that mean every address of the machine.
_ANY: Final = frozenset({"", "*"})
#: Connections waiting to be accepted: after a restart all clients reconnect at once.
_BACKLOG: Final = 4096
#: The last process on the port may still be closing it.
_IN_USE_PATIENCE_S: Final = 2.0
_RETRY_S: Final = 0.1
_REASONS: Final = {
    errno.EADDRINUSE: "another process listens there",
    errno.EADDRNOTAVAIL: "not an address of this machine",
    errno.EACCES: "ports below 1024 need a privilege",
}
_SHUTDOWN_TIMEOUT_S: Final = 0.5
#: How long a request may take that is being answered when an application stops.
_ANSWERED_WITHIN_S: Final = 2.0
_log = structlog.get_logger(__name__)


def url_of(host: str, port: int, *, tls: bool = False) -> str:
    """Return the URL of an address as it can be typed into a browser."""
    shown = "0.0.0.0" if host in _ANY else host  # noqa: S104 - shown, not bound
    return f"http{'s' if tls else ''}://{f'[{shown}]' if ':' in shown else shown}:{port}"


def is_local(host: str) -> bool:
    """Check whether only this machine can connect to a host."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def bind(addresses: Sequence[tuple[Any, ...]]) -> list[socket.socket]:
    """Listen on addresses as `getaddrinfo` returns them. Where the port is 0, all of them get the same free one.

    Args:
        addresses: family, type, protocol, canonical name and address of each.

    Raises:
        OSError: if any can't be bound.
    """
    sockets = _bound(addresses)
    for sock in sockets:
        sock.listen(_BACKLOG)
    return sockets


def bind_shared(addresses: Sequence[tuple[Any, ...]], count: int) -> tuple[list[socket.socket], list[list[socket.socket]]]:
    """Listen on addresses, and bind them once more for each worker: the system spreads connections over those that listen.

    A port that anything else listens on is refused, also if that would share it: half of its clients would be ours.

    Returns:
        The sockets that listen, and those of each worker, which do not listen yet.

    Raises:
        OSError: if any can't be bound.
    """
    with ExitStack() as stack:
        first = _bound(addresses)
        for sock in first:
            stack.callback(sock.close)
            # Only once it is bound: with SO_REUSEPORT, binding succeeds on a port that another program shares.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.listen(_BACKLOG)
        names = [(each.family, each.type, each.proto, "", each.getsockname()) for each in first]
        shared: list[list[socket.socket]] = []
        for _ in range(count):
            shared.append(_bound(names, reuse_port=True))
            for sock in shared[-1]:
                stack.callback(sock.close)
        stack.pop_all()
        return first, shared


def _bound(addresses: Sequence[tuple[Any, ...]], *, reuse_port: bool = False) -> list[socket.socket]:
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        port = 0
        for family, kind, protocol, _, address in addresses:
            try:
                sock = stack.enter_context(socket.socket(family, kind, protocol))
            except OSError:
                continue  # the system has no such family
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                sock.bind((address[0], address[1] or port, *address[2:]))
            except OSError as problem:
                if problem.errno == errno.EADDRNOTAVAIL and len(addresses) > 1:
                    continue  # the system has the family switched off
                raise OSError(problem.errno, f"{url_of(address[0], address[1])}: {_reason(problem)}") from None
            sock.setblocking(False)
            sockets.append(sock)
            port = sock.getsockname()[1]
        if not sockets:
            raise OSError(errno.EADDRNOTAVAIL, "none of its addresses is one of this machine")
        stack.pop_all()
        return sockets


def _reason(problem: OSError) -> str:
    return _REASONS.get(problem.errno or 0, "") or problem.strerror or str(problem)


class Front:
    """The sockets of a role, and what is answered on them until it is ready.

    Args:
        sockets: they listen already.
        tls: for TLS; None for plain TCP.
    """

    def __init__(self, sockets: list[socket.socket], tls: ssl.SSLContext | None = None) -> None:
        self.sockets = sockets
        self.tls = tls
        self._runner: web.ServerRunner | None = None
        self._later: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port."""
        return int(self.sockets[0].getsockname()[1])

    async def answer(self, startup: Startup) -> None:
        """Answer `/healthz` with where the start is, and everything else with 503, until `hand_over` is called."""

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            if request.path == "/healthz":
                body = {"status": "starting", "step": startup.step.what, "waiting_for": startup.waiting_for}
                response = web.json_response(body)
            else:
                text = f"starting: {startup.waiting_for or startup.step.what}"
                response = error(503, ErrorCode.NOT_READY, text, {"Retry-After": "1"})
            response.force_close()
            return response

        self._runner = web.ServerRunner(web.Server(handle), shutdown_timeout=_SHUTDOWN_TIMEOUT_S)
        await self._runner.setup()
        for each in self.sockets:
            await web.SockSite(self._runner, each.dup(), ssl_context=self.tls, backlog=_BACKLOG).start()

    def answer_later(self, startup: Startup, delay_s: float) -> None:
        """Answer as `answer` does, but only after a delay. Until then connections wait."""

        async def wait() -> None:
            await asyncio.sleep(delay_s)
            await self.answer(startup)

        self._later = asyncio.create_task(wait())

    async def hand_over(self) -> None:
        """Stop answering. Connections that arrive until the role accepts them wait."""
        if self._later is not None:
            await end_tasks([self._later])
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @asynccontextmanager
    async def serving(self, app: web.Application, observer: AbstractAccessLogger | None = None) -> AsyncIterator[None]:
        """Serve by an application in place of the front, until the context is left.

        Args:
            app: the application.
            observer: is called with every answer that was written; None for nobody.
        """
        observing = AccessLogger if observer is None else _class_of(observer)
        logger = None if observer is None else observer.logger
        runner = web.AppRunner(app, access_log=logger, access_log_class=observing, shutdown_timeout=_ANSWERED_WITHIN_S)
        await runner.setup()
        await self.hand_over()
        try:
            for each in self.sockets:
                await web.SockSite(runner, each.dup()).start()
            yield
        finally:
            await runner.cleanup()

    def listen(self) -> None:
        """Listen on sockets that were bound only; no-op for those that listen."""
        for each in self.sockets:
            each.listen(_BACKLOG)

    def stop_listening(self) -> None:
        """Close the sockets: connections are refused from then on, unless another process has the same ones."""
        for each in self.sockets:
            each.close()

    async def close(self) -> None:
        """Stop answering and listening."""
        await self.hand_over()
        self.stop_listening()


def _class_of(observer: AbstractAccessLogger) -> type[AbstractAccessLogger]:
    """Return the class that aiohttp makes an object of for each connection: all of them hand on to one observer."""

    class Observing(AbstractAccessLogger):
        """Hands on what it is called with."""

        def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
            """Hand on an answer that was written."""
            observer.log(request, response, time)

    return Observing


@asynccontextmanager
async def open_front(
    host: str,
    port: int,
    startup: Startup,
    *,
    tls: ssl.SSLContext | None = None,
    inherited: Sequence[int] = (),
    silent_s: float = 0.0,
    announced: bool = True,
) -> AsyncIterator[Front]:
    """Listen on a port, and answer that the role is starting, until the context is left.

    Args:
        host: the address; `*` or empty for all of the machine.
        port: the port; 0 takes a free one.
        startup: the steps of the start; its step is BIND meanwhile.
        tls: for TLS; None for plain TCP.
        inherited: the file descriptors of sockets that listen already; empty to bind the port.
        silent_s: how long what arrives meanwhile is left to wait; infinite to leave it to other processes on the same port, and
            inherited sockets as they are: they may be bound only.
        announced: whether `oddsengine health` finds it; inherited sockets are announced by their parent.

    Raises:
        StartFailed: if the port can't be bound.
        Stopped: if the process is asked to stop.
    """
    with startup.doing(Step.BIND):
        if inherited:
            sockets = [socket.socket(fileno=each) for each in inherited]
        else:
            sockets, _ = await startup.unless_stopped(when_free(host, port, 0, startup))
    front = Front(sockets, tls)
    try:
        if silent_s:
            if silent_s < inf:
                front.answer_later(startup, silent_s)
        else:
            await front.answer(startup)
        with nullcontext() if inherited or not announced else announce(sockets, tls=tls is not None):
            yield front
    finally:
        await front.close()


@contextmanager
def announce(sockets: Sequence[socket.socket], *, tls: bool) -> Iterator[None]:
    """Announce the sockets of this process to `oddsengine health`, while the context is open."""
    host, port = sockets[0].getsockname()[:2]
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - replaced
    with announced(url_of(local, port, tls=tls)) as problem:
        if problem:
            _log.warning("health checks need --url", error=problem)
        yield


async def when_free(
    host: str, port: int, workers: int, startup: Startup
) -> tuple[list[socket.socket], list[list[socket.socket]]]:
    """Listen on a port, and bind it for a number of workers, once the last process that had it has closed it.

    Returns:
        The sockets that listen, and those of each worker, which do not listen yet.

    Raises:
        OSError: if it can't be bound.
    """
    addresses = await _resolve(host, port)
    loop = asyncio.get_running_loop()
    until_s = loop.time() + _IN_USE_PATIENCE_S
    while True:
        try:
            return bind_shared(addresses, workers) if workers else (bind(addresses), [])
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE or loop.time() > until_s:
                raise
            startup.waiting_for = str(problem.strerror)
        await asyncio.sleep(_RETRY_S)


async def _resolve(host: str, port: int) -> list[tuple[Any, ...]]:
    """Return the addresses of a host, to bind them.

    Raises:
        OSError: naming the host, if it has none.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(None if host in _ANY else host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as problem:
        raise OSError(problem.errno, f"{url_of(host, port)}: {problem.strerror}") from None
    # IPv4 first: its port is the one that is shown.
    return sorted(dict.fromkeys(found), key=lambda each: each[0] != socket.AF_INET)
