"""How long a pool waits for a connection to Redis that it makes, and what is said of one that fails."""

from __future__ import annotations

import asyncio
import ssl
from functools import partial

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from oddsengine.streams.clients.pool import Connectivity, ConnectLimit
from oddsengine.streams.connection import text_of


def after(*took_s: float) -> ConnectLimit:
    """Return the limit after connections that took so long."""
    limit = ConnectLimit()
    for each in took_s:
        limit.note_made(each)
    return limit


def test_a_connection_that_is_swallowed_is_given_up_soon() -> None:
    assert 0.5 == after(0.01, 0.02).limit_s(1.0)


def test_where_it_takes_long_it_may_take_longer() -> None:
    assert ConnectLimit().limit_s(1.0) is None, "nothing is known of it"
    assert 0.8 == after(0.01, 0.3, 0.4, 0.2).limit_s(1.0), "of the last three"


def test_a_network_that_has_become_slow_is_granted_more_and_more() -> None:
    limit = after(0.01)
    limit.note_timeout(10.0)
    limit.note_timeout(11.0)
    assert [0.5, 2.0] == [limit.limit_s(now_s) for now_s in (12.0, 26.0)]
    limit.note_made(2.0)
    limit.note_timeout(30.0)
    assert 0.5 == limit.limit_s(30.5), "it starts again"


async def test_a_connection_that_another_one_has_overtaken_is_made_again() -> None:
    """Its network has lost what it sent, and has recovered since: nobody waits for the rest of its time."""
    now_s = 0.0
    connectivity = Connectivity(lambda: now_s)
    connectivity.limit = after(10.0)
    slow = [asyncio.create_task(connectivity.connect(asyncio.Event().wait)) for _ in range(2)]
    await asyncio.sleep(0)
    now_s += 0.15
    assert await connectivity.connect(partial(asyncio.sleep, 0.0))
    assert [False, False] == await asyncio.gather(*slow)
    is_made = asyncio.Event()

    async def make() -> None:
        is_made.set()

    begun_together = [connectivity.connect(connecting) for connecting in (is_made.wait, make)]
    assert [True, True] == await asyncio.gather(*begun_together)


async def test_a_connection_that_is_given_up_already_keeps_no_other_one_from_being_made() -> None:
    """It may take a while to end: what it had opened is closed."""

    class Soon(ConnectLimit):
        def limit_s(self, now_s: float) -> float | None:
            return min(0.01, now_s)

    connectivity, closed = Connectivity(), asyncio.Event()
    connectivity.limit = Soon()

    async def swallowed() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await closed.wait()

    given_up = asyncio.create_task(connectivity.connect(swallowed))
    await asyncio.sleep(0.15)
    assert await connectivity.connect(partial(asyncio.sleep, 0.0))
    closed.set()
    with pytest.raises(TimeoutError):
        await given_up


def test_a_certificate_that_is_not_trusted_is_named() -> None:
    """The loop that processes run raises an error without a text."""
    error = RedisConnectionError("Error connecting to h:1.")
    error.__context__ = ssl.SSLCertVerificationError()
    assert "redis.tls_ca" in text_of(error)
    other = ssl.SSLCertVerificationError()
    other.verify_code = 62
    error.__context__ = other
    assert "is for other names" in text_of(error)
    assert "gone" == text_of(RedisConnectionError("gone"))
