"""Which server is the primary, by what several Sentinels say."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from oddsengine.common.tasks import end_tasks
from oddsengine.streams.clients import sentinel as sentinel_client
from oddsengine.streams.clients.sentinel import Sentinels
from oddsengine.streams.connection import open_client
from tests.support.service import wait_until

GONE = RedisConnectionError("gone")


def says(port: int, epoch: int, *, down: bool = False) -> dict[str, Any]:
    state = {"is_master": True, "is_sdown": down, "is_odown": False, "num-other-sentinels": 2}
    return {"odds": {**state, "ip": "h", "port": port, "config-epoch": epoch}}


class OneSentinel:
    """A Sentinel that gives one reply."""

    def __init__(self, reply: Any) -> None:
        self.reply = reply
        self.asked = 0

    async def sentinel_masters(self) -> Any:
        self.asked += 1
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


async def primary_of(*replies: Any) -> int:
    sentinels = Sentinels([])  # type: ignore[no-untyped-call]
    given: list[Any] = [OneSentinel(reply) for reply in replies]
    sentinels.sentinels = given
    return (await sentinels.discover_master("odds"))[1]


async def test_the_newest_word_counts() -> None:
    """Of whichever Sentinel, and whichever is asked first."""
    assert 2 == await primary_of(says(1, 5), says(2, 6), GONE)
    assert 2 == await primary_of(says(2, 6), says(1, 5))
    assert 2 == await primary_of(says(2, 6, down=True), says(2, 6)), "only one of them can't reach it"


@pytest.mark.parametrize(
    ("replies", "error", "text"),
    [
        ([says(1, 5), says(2, 6, down=True)], MasterNotFoundError, "the primary is down: 'odds'"),
        ([{}, GONE], MasterNotFoundError, "no Sentinel names a primary: 'odds' (ConnectionError)"),
        ([AuthenticationError("x")], MasterNotFoundError, "(AuthenticationError; set sentinel_password)"),
        ([ResponseError("unknown command 'SENTINEL'")], ResponseError, "unknown command"),
    ],
)
async def test_no_former_primary_is_taken_for_want_of_another(replies: list[Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as raised:
        await primary_of(*replies)
    assert text in str(raised.value)


class IdleConnection:
    """A connection to the former primary that nothing uses."""

    is_connected = True

    async def disconnect(self, *, nowait: bool) -> None:
        assert nowait
        self.is_connected = False


async def test_a_connection_to_the_former_primary_is_closed_also_if_it_fell_idle_after_another_one_had_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sentinel_client, "_WATCH_S", 0.001)
    client: Any = open_client("redis+sentinel://127.0.0.1:1/odds/0")
    pool = client.connection_pool
    pool.sentinel_manager.sentinels = [asked := OneSentinel(says(1, 5))]
    task = asyncio.create_task(client.keep_on_primary())
    try:
        await wait_until(lambda: pool.master_address == ("h", 1), "the first primary")
        # From its next look on, the watch sleeps long enough for what follows.
        monkeypatch.setattr(sentinel_client, "_WATCH_S", 1.0)
        looks = asked.asked
        await wait_until(lambda: asked.asked > looks, "the next look")
        asked.reply = says(2, 6)
        # A connection that is opened asks too, and is told first.
        assert ("h", 2) == await pool.get_master_address()
        pool._available_connections.append(idle := IdleConnection())
        await wait_until(lambda: not idle.is_connected, "its end")
    finally:
        await end_tasks([task])
