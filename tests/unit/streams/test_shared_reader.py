"""Many streams are read with one command at a time, and nobody waits for another one's entries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from oddsengine.streams.clients.cluster import key_of
from oddsengine.streams.clients.shared_reader import SharedReader
from oddsengine.streams.connection import SHARED_READS
from tests.support.tasks import in_background

if TYPE_CHECKING:
    from collections.abc import Iterable

ENTRY = (b"1-1", {b"b": b""})


class Streams:
    """A Redis whose replies the test gives."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.counts: list[int] = []
        self.replies: asyncio.Queue[Any] = asyncio.Queue()
        self.is_full = False
        self.entry = ENTRY

    async def xread(self, streams: dict[str, str], count: int, **_: object) -> Any:
        self.asked.append(list(streams))
        self.counts.append(count)
        reply = await self.replies.get()
        if isinstance(reply, Exception):
            raise reply
        return [[stream.encode(), [self.entry] * (count if self.is_full else 1)] for stream in reply]

    def has(self, entries_of: Iterable[str]) -> None:
        self.replies.put_nowait(list(entries_of))


def reader_of(streams: Streams) -> SharedReader:
    redis: Any = streams
    others = [f"{{a}}:{number}" for number in range(3, 5)]
    return SharedReader(redis, ["{a}:1", *others, "{a}:5", "{a}:2"], lambda: 0.0)  # every fourth shares a read


async def test_one_command_reads_for_all_and_who_was_answered_is_in_the_next() -> None:
    streams = Streams()
    reader = reader_of(streams)

    async def follow(stream: str, heard: list[str]) -> None:
        while True:
            if await reader.read(stream, "0-0"):
                heard.append(stream)

    heard: list[str] = []
    async with in_background(reader.run()), in_background(follow("{a}:1", heard)), in_background(follow("{a}:2", heard)):
        for stream in ("{a}:1", "{a}:2", "{a}:1"):
            streams.has([stream])
        while len(streams.asked) < 4:
            await asyncio.sleep(0)
    assert ["{a}:1", "{a}:2", "{a}:1"] == heard
    assert {("{a}:1", "{a}:2")} == {tuple(sorted(each)) for each in streams.asked}


async def test_a_reader_that_reads_seldom_takes_more_at_once_and_pauses_when_it_has_all(monkeypatch: pytest.MonkeyPatch) -> None:
    streams, paused, sleep = Streams(), [], asyncio.sleep

    async def pause(seconds: float) -> None:
        paused.extend([seconds] if seconds else [])
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", pause)
    reader = SharedReader(streams, ["{a}:1"], lambda: 0.0, every_s=0.25)  # type: ignore[arg-type]
    streams.is_full = True
    async with in_background(reader.run()):
        for number in range(4):
            streams.is_full = number < 3
            streams.has(["{a}:1"])
            await reader.read("{a}:1", "0-0")
    assert ([200, 400, 800, 1600], 1) == (streams.counts[:4], len(paused))


async def test_a_moment_without_entries_and_an_error_end_every_wait() -> None:
    streams = Streams()
    reader = reader_of(streams)
    async with in_background(reader.run()):
        streams.has([])
        assert [[], []] == await asyncio.gather(reader.read("{a}:1", "0-0"), reader.read("{a}:2", "0-0"))
        streams.replies.put_nowait(RedisConnectionError("gone"))
        with pytest.raises(RedisConnectionError):
            await reader.read("{a}:1", "0-0")
        waiting = asyncio.create_task(reader.read("{a}:1", "0-0"))
        await asyncio.sleep(0)
        waiting.cancel()
        streams.has(["{a}:2"])
        assert [ENTRY] == await reader.read("{a}:2", "0-0"), "one that has left keeps nobody waiting"


async def test_streams_that_come_later_share_the_reads_too() -> None:
    streams = Streams()
    redis: Any = streams
    reader = SharedReader(redis, [], lambda: 0.0)
    async with in_background(reader.run()):
        names = [f"{{{number}}}:ingest" for number in range(SHARED_READS + 1)]
        waiting = [asyncio.create_task(reader.read(name, "0-0")) for name in names]
        while len(streams.asked) < SHARED_READS:
            await asyncio.sleep(0)
        assert [[names[0], names[-1]], *([name] for name in names[1:-1])] == streams.asked
        for name in (names[0], *names[1:-1]):
            streams.has([name])
        streams.has([names[-1]])
        assert [[ENTRY]] * len(names) == await asyncio.gather(*waiting)


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("GET", "k"), "k"),
        (("EVALSHA", "sha", 2, "k", "l", "x"), "k"),
        (("EVAL", "return 1", 0), None),
        (("XREAD", b"BLOCK", b"100", b"COUNT", b"9", b"STREAMS", "k", "l", "0-0", "0-0"), "k"),
        (("PING",), None),
        (("SCRIPT LOAD", "return 1"), None),
    ],
)
def test_a_command_goes_to_the_node_of_its_first_key(command: tuple[Any, ...], key: str | None) -> None:
    assert key == key_of(command)


async def test_a_reply_of_large_entries_has_few_of_them_so_that_it_arrives_in_time() -> None:
    """A reader that is behind would ask for what it can't get in time, again and again."""
    streams = Streams()
    reader = reader_of(streams)
    async with in_background(reader.run()):
        streams.replies.put_nowait(RedisTimeoutError())
        with pytest.raises(RedisTimeoutError):
            await reader.read("{a}:1", "0-0")
        for size in (400_000, 5_000_000, 10, 0):
            streams.entry = (b"1-1", {b"b": bytes(size)})
            streams.has(["{a}:1"])
            await reader.read("{a}:1", "0-0")
    assert [200, 25, 10, 1, 200] == streams.counts[:5]
