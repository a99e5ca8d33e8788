"""A reloading tail reads every entry once, and names what it could not read."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest_asyncio
from structlog.testing import capture_logs

from oddsengine.common.tasks import end_tasks
from oddsengine.streams.chain.links import Link
from oddsengine.streams.clients.shared_reader import SharedReader
from oddsengine.streams.connection import open_client
from oddsengine.streams.positions import ORIGIN, Position
from oddsengine.streams.tailing.reloading_tail import Reload, ReloadingTail
from oddsengine.streams.tailing.shard_tail import ShardTail
from tests.support.history.synthetic import EPOCH, replace_entries
from tests.support.streams.ends import KEYS, Owner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis
    from oddsengine.streams.tailing.reloading_tail import StreamEntry


@pytest_asyncio.fixture
async def reader(redis_server: EmbeddedRedis, redis: Redis) -> AsyncIterator[SharedReader]:
    client = open_client(redis_server.url)
    found = SharedReader(client, [KEYS.changes], time.monotonic)
    task = asyncio.create_task(found.run())
    yield found
    await end_tasks([task])
    await client.aclose()


async def next_of(tail: ReloadingTail) -> list[StreamEntry] | Reload:
    async with asyncio.timeout(30):
        while not (found := await tail.read()):
            pass
        return found


async def prices_of(tail: ReloadingTail, count: int) -> list[int | None]:
    """Return the prices of so many entries."""
    prices: list[int | None] = []
    while len(prices) < count:
        entries = await next_of(tail)
        assert isinstance(entries, list)
        prices += [market.selections["home"].prices[0] for entry in entries for market in entry.batch.markets]
    return prices


async def reload_of(tail: ReloadingTail) -> Reload:
    found = await next_of(tail)
    assert isinstance(found, Reload)
    return found


async def test_a_tail_reads_on_where_another_one_has_stopped(redis: Redis, reader: SharedReader) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    first = ReloadingTail(reader, 0, KEYS, ORIGIN)
    begun = await reload_of(first)
    assert ("start", ORIGIN, Position(1_000_000, 1), Position(1_000_000, 1)) == begun[:4]
    assert "e1/match_odds" in [getattr(record, "id", "") for record in begun.records]
    await owner.offers(2100)
    assert [2100] == await prices_of(first, 1)
    for price in (2200, 2300):
        await owner.offers(price)
    assert [2200, 2300] == await prices_of(ReloadingTail(reader, 0, KEYS, first.position), 2)


async def test_what_was_trimmed_is_named_and_the_rest_is_read(redis: Redis, reader: SharedReader) -> None:
    owner = await Owner(redis).claimed()
    for price in (2000, 2100, 2200, 2300):
        await owner.offers(price)
    await redis.xtrim(KEYS.changes, minid="1000000-3", approximate=False)
    tail = ReloadingTail(reader, 0, KEYS, Position(1_000_000, 1))
    found = await reload_of(tail)
    assert ("trimmed", Position(1_000_000, 1), Position(1_000_000, 2), Position(1_000_000, 4)) == found[:4]
    assert [2200, 2300] == await prices_of(tail, 2)


async def test_where_more_is_trimmed_meanwhile_it_goes_on_from_the_state(redis: Redis, reader: SharedReader) -> None:
    """Whoever was away for longer than a busy stream goes back is always too late for its oldest entry."""
    owner = await Owner(redis).claimed()
    tail = ReloadingTail(reader, 0, KEYS, Position(1_000_000, 0))
    for last, resumes in ((4, 1), (8, 8)):
        for price in range(4):
            await owner.offers(2000 + price * 20 + last)
        await redis.xtrim(KEYS.changes, maxlen=3, approximate=False)
        found = await reload_of(tail)
        assert ("trimmed", resumes, last) == (found.cause, found.resumes.seq, found.at.seq)
    await owner.offers(3000)
    assert [3000] == await prices_of(tail, 1)


async def test_entries_of_a_new_epoch_follow_its_state(redis: Redis, reader: SharedReader) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    tail = ReloadingTail(reader, 0, KEYS, Position(1_000_000, 0))
    assert [2000] == await prices_of(tail, 1)
    new = await Owner(redis).claimed()
    await new.offers(2500)
    found = await reload_of(tail)
    epoch = new.offer.epoch
    assert ("epoch", Position(1_000_000, 1), Position(epoch, 0), Position(epoch, 1)) == found[:4]
    assert [2500] == await prices_of(tail, 1)


async def test_entries_that_follow_others_than_were_read_are_a_gap(redis: Redis, reader: SharedReader) -> None:
    """Their numbers follow; their digests do not."""
    owner = await Owner(redis).claimed(EPOCH)
    for price in (2000, 2100):
        await owner.offers(price)
    tail = ReloadingTail(reader, 0, KEYS, Position(EPOCH, 0))
    assert [2000, 2100] == await prices_of(tail, 2)
    await replace_entries(redis, 4)
    found = await reload_of(tail)
    assert ("replaced", Position(EPOCH, 2), Position(EPOCH, 2), Position(EPOCH, 4)) == found[:4]
    assert [3300, 3400] == await prices_of(tail, 2)


async def test_an_unreadable_entry_is_a_gap(redis: Redis, reader: SharedReader) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    top = Position(owner.offer.epoch, owner.offer.seq)
    await redis.xadd(KEYS.changes, {"b": b"\xc1"}, id=f"{top.epoch}-{top.seq + 1}")
    await redis.hset(KEYS.snapshot, "whole", f"{await redis.hlen(KEYS.snapshot)}@{top.epoch}-{top.seq + 1}")
    found = await reload_of(ReloadingTail(reader, 0, KEYS, top))
    gone = Position(top.epoch, top.seq + 1)
    assert ("unreadable", top, gone, gone) == found[:4]


async def test_a_server_that_has_less_than_was_read_is_not_trusted(redis: Redis, reader: SharedReader) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    tail = ReloadingTail(reader, 0, KEYS, Position(owner.offer.epoch, 5))
    for _ in range(2):
        assert [] == await tail.read()
    await Owner(redis).claimed()
    assert "epoch" == (await reload_of(tail)).cause


async def test_a_loss_that_lasts_is_logged_once(redis: Redis, reader: SharedReader) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    tail = ShardTail(reader, 0, KEYS, Link(Position(owner.offer.epoch, 5), b""))
    with capture_logs() as logs:
        assert [True] * 3 == [await tail.check_loss() for _ in range(3)]
        for price in range(2010, 2060, 10):
            await owner.offers(price)
        assert not await tail.check_loss()
        await redis.delete(KEYS.changes)
        assert await tail.check_loss()
    assert ["stream entries lost, waiting for a new epoch"] * 2 == [line["event"] for line in logs]
