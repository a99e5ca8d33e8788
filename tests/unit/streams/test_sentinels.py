"""Which server is the primary, by what several Sentinels say."""

from __future__ import annotations

from typing import Any

import pytest
from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import AuthenticationError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from oddsengine.streams.clients.sentinel import Sentinels

GONE = RedisConnectionError("gone")


def says(port: int, epoch: int, *, down: bool = False) -> dict[str, Any]:
    state = {"is_master": True, "is_sdown": down, "is_odown": False, "num-other-sentinels": 2}
    return {"odds": {**state, "ip": "h", "port": port, "config-epoch": epoch}}


class OneSentinel:
    """A Sentinel that gives one reply."""

    def __init__(self, reply: Any) -> None:
        self.reply = reply

    async def sentinel_masters(self) -> Any:
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
