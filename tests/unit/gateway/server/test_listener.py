"""What is accepted: pauses while the system has no room, and connections per address."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

from aiohttp import web

from oddsengine.common.internal_errors import InternalErrors
from oddsengine.gateway.access.rate_limits import ClientAddresses
from oddsengine.gateway.server.listener import AcceptLimits, Acceptor
from oddsengine.gateway.server.timeouts import HandshakeTimeouts
from tests.support.service import wait_until


async def ok(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="ok")


def a_listening_socket() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def acceptor_of(listening: socket.socket, *limits: int, proxies: tuple[str, ...] = (), **options: Any) -> Acceptor:
    timeouts = HandshakeTimeouts(0.0, asyncio.get_running_loop().time)
    return Acceptor(
        web.Server(ok), [listening], None, timeouts, ClientAddresses(proxies), AcceptLimits(*limits), InternalErrors(), **options
    )


async def answer(listening: socket.socket) -> tuple[bytes, asyncio.StreamWriter]:
    """Return the status of an answer, and the connection that it came on."""
    reader, writer = await asyncio.open_connection(*listening.getsockname()[:2])
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(30):
        return (await reader.readline()).split(b" ")[1], writer


async def test_accepts_pause_while_no_descriptor_is_left_and_recover_by_themselves() -> None:
    failing = True
    calls = 0

    def accept(listening: socket.socket) -> Any:
        nonlocal calls
        calls += 1
        if failing:
            raise OSError(errno.EMFILE, "Too many open files")
        return listening.accept()

    with a_listening_socket() as listening:
        async with acceptor_of(listening, accept=accept) as acceptor:
            asking = asyncio.create_task(answer(listening))
            await wait_until(lambda: acceptor.pauses > 1, "a second try")
            assert calls < 10, "no busy loop"
            failing = False
            status, writer = await asking
            assert b"200" == status
            writer.close()


async def test_other_errors_of_a_connection_do_not_stop_the_next() -> None:
    errors = [OSError(errno.EPROTO, "gone"), ConnectionAbortedError(), OSError(errno.EPERM, "firewall")]

    def accept(listening: socket.socket) -> Any:
        if errors:
            raise errors.pop()
        return listening.accept()

    with a_listening_socket() as listening:
        async with acceptor_of(listening, accept=accept) as acceptor:
            status, writer = await answer(listening)
            assert (b"200", 0) == (status, acceptor.pauses)
            writer.close()


async def test_connections_beyond_the_file_limit_wait_until_others_end() -> None:
    with a_listening_socket() as listening:
        async with acceptor_of(listening, 0, 2) as acceptor:
            held = [(await answer(listening))[1] for _ in range(2)]
            waiting = asyncio.create_task(answer(listening))
            await wait_until(lambda: acceptor.pauses > 0, "the pause")
            assert not waiting.done()
            assert 2 == acceptor.open
            held.pop().close()
            status, writer = await waiting
            assert b"200" == status
            for each in (*held, writer):
                each.close()
            await wait_until(lambda: acceptor.open == 0, "the end of all connections")


async def test_the_connections_of_an_address_are_limited_but_not_those_of_a_trusted_proxy() -> None:
    with a_listening_socket() as listening:
        async with acceptor_of(listening, 2) as acceptor:
            held = [(await answer(listening))[1] for _ in range(2)]
            status, rejected = await answer(listening)
            assert (b"429", 1) == (status, acceptor.rejected_addresses)
            held.pop().close()
            await wait_until(lambda: acceptor.open == 1, "the end of a connection")
            status, writer = await answer(listening)
            assert b"200" == status
            for each in (*held, writer, rejected):
                each.close()
        async with acceptor_of(listening) as acceptor:
            acceptor.use(AcceptLimits(1))
            answers = [await answer(listening) for _ in range(2)]
            assert [b"200", b"429"] == [status for status, _ in answers], "by a limit that was reloaded"
            for _, each in answers:
                each.close()
        async with acceptor_of(listening, 1, proxies=("127.0.0.0/8",)) as acceptor:
            answers = [await answer(listening) for _ in range(3)]
            assert [b"200"] * 3 == [status for status, _ in answers]
            for _, each in answers:
                each.close()
