"""Which connections are closed because their request takes too long to arrive."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from oddsengine.gateway.server.timeouts import HandshakeTimeouts


class Connection(asyncio.Protocol):
    """A connection that can be aborted."""

    def __init__(self) -> None:
        self.transport: Any = self
        self.aborted = False
        self.unread = 0

    def abort(self) -> None:
        self.aborted = True

    def get_write_buffer_size(self) -> int:
        return self.unread


async def polled(timeouts: HandshakeTimeouts) -> None:
    """Wait until the connections have been checked at least once."""
    watching = asyncio.create_task(timeouts.watch())
    await asyncio.sleep(0.3)
    watching.cancel()


def accept(timeouts: HandshakeTimeouts) -> Connection:
    connection = Connection()
    timeouts.accepted(connection)
    return connection


def request_on(connection: Connection) -> Any:
    return SimpleNamespace(protocol=connection, transport=connection, can_read_body=False)


async def test_a_connection_without_a_request_is_closed_after_the_timeout() -> None:
    now_s = 0.0
    timeouts = HandshakeTimeouts(10.0, lambda: now_s)
    slow, complete = accept(timeouts), accept(timeouts)
    timeouts.complete(request_on(complete))
    now_s = 5.0
    recent = accept(timeouts)
    now_s = 10.5
    await polled(timeouts)
    assert [True, False, False] == [slow.aborted, complete.aborted, recent.aborted]
    assert 1 == timeouts.timed_out


async def test_a_request_is_complete_only_once_its_body_has_arrived() -> None:
    now_s = 0.0
    timeouts = HandshakeTimeouts(10.0, lambda: now_s)
    connection = accept(timeouts)
    arrived = asyncio.Event()

    async def read_body(_request: Any) -> Any:
        await arrived.wait()

    request: Any = SimpleNamespace(protocol=connection, transport=connection, can_read_body=True)
    handler: Any = timeouts.completing(read_body)
    handling: asyncio.Task[Any] = asyncio.create_task(handler(request))
    now_s = 5.0
    await asyncio.sleep(0)
    arrived.set()
    await handling
    now_s = 20.0
    await polled(timeouts)
    assert not connection.aborted


async def answered(_request: Any) -> Any:
    return None


async def test_an_idle_connection_is_closed_unless_it_still_reads_or_sends() -> None:
    now_s = 0.0
    timeouts = HandshakeTimeouts(10.0, lambda: now_s, 20.0)
    idle, reading, asking, gone = (accept(timeouts) for _ in range(4))
    handler: Any = timeouts.completing(answered)
    for connection in (idle, reading, asking, gone):
        await handler(request_on(connection))
    reading.unread = 1
    now_s = 15.0
    timeouts.received(asking)
    timeouts.forget(gone)
    now_s = 21.0
    await polled(timeouts)
    assert [True, False, False, False] == [each.aborted for each in (idle, reading, asking, gone)]
    reading.unread = 0
    now_s = 26.0
    await polled(timeouts)
    assert [False, True] == [reading.aborted, asking.aborted], "half a request counts from its first byte"
    now_s = 42.0
    await polled(timeouts)
    assert [True, False] == [reading.aborted, gone.aborted]
    assert (1, 2) == (timeouts.timed_out, timeouts.idle_closed)


async def test_without_a_timeout_nothing_is_tracked() -> None:
    timeouts = HandshakeTimeouts(0.0, lambda: 0.0)
    connection = accept(timeouts)
    handler: Any = timeouts.completing(answered)
    await handler(request_on(connection))
    await polled(timeouts)
    assert not connection.aborted


async def test_other_times_hold_for_the_connections_that_are_open() -> None:
    now_s = 0.0
    timeouts = HandshakeTimeouts(10.0, lambda: now_s)
    slow = accept(timeouts)
    timeouts.use(2.0, 0.0)
    now_s = 3.0
    await polled(timeouts)
    assert slow.aborted
    kept = accept(timeouts)
    timeouts.use(0.0, 0.0)
    now_s = 99.0
    await polled(timeouts)
    assert not kept.aborted
