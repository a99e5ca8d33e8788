"""Whatever Redis loses of a shard is noticed by its owner and its followers, and written again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from oddsengine.offer.offer import BEGINNING
from oddsengine.streams.snapshots.stored import read_head, read_top
from tests.support.builders import an_event, an_offer_of
from tests.support.streams.ends import KEYS, Owner, following, kept, same, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis

MARKETS = ("e1/match_odds", "e1/total/ft/2.5", "e2/match_odds")


async def lose_fields(redis: Redis) -> None:
    fields: Any = await redis.hkeys(KEYS.snapshot)
    await redis.hdel(KEYS.snapshot, *[field for field in fields if field.startswith(b"m:e1")])


async def lose_the_end(redis: Redis) -> None:
    await redis.xdel(KEYS.changes, (await read_top(redis, KEYS.changes)).stream_id())


async def take_for_another(redis: Redis) -> None:
    """Replace the current snapshot by that of an earlier position."""
    dump = await redis.dump(KEYS.snapshot)
    position = (await read_head(redis, KEYS)).snapshot
    while (await read_head(redis, KEYS)).snapshot == position:
        await asyncio.sleep(0.01)
    assert dump is not None
    await redis.restore(KEYS.snapshot, 0, dump, replace=True)


async def become_another_type(redis: Redis) -> None:
    for key in KEYS:
        await redis.set(key, "a string")


#: what is lost
LOSSES: dict[str, Callable[[Redis], Awaitable[Any]]] = {
    "the snapshot": lambda redis: redis.delete(KEYS.snapshot),
    "some fields": lose_fields,
    "the field that says what is whole": lambda redis: redis.hdel(KEYS.snapshot, "whole"),
    "nothing, but a field was added": lambda redis: redis.hset(KEYS.snapshot, "m:rubbish", b"\xc1"),
    "the stream": lambda redis: redis.delete(KEYS.changes),
    "the last entry": lose_the_end,
    "all entries": lambda redis: redis.xtrim(KEYS.changes, maxlen=0, approximate=False),
    "both keys": lambda redis: redis.delete(*KEYS),
    "the database": lambda redis: redis.swapdb(0, 1),
    "the present snapshot": take_for_another,
    "the types of the keys": become_another_type,
}


@pytest.mark.parametrize("lost", LOSSES)
async def test_a_loss_is_noticed_and_repaired(lost: str, redis_server: EmbeddedRedis, redis: Redis) -> None:
    """A follower that starts then waits for the repair; one that runs goes on with the new epoch."""
    owner = await Owner(redis).claimed()
    for market in MARKETS:
        await owner.offers(2000, market)
    epoch = owner.offer.epoch
    async with following(redis_server) as running:
        await until(lambda: same(owner, running))
        async with kept(owner):
            await LOSSES[lost](redis)
            await until(lambda: owner.offer.epoch > epoch)
            async with following(redis_server) as started:
                await until(lambda: owner.offer.epoch == running.offer.epoch == started.offer.epoch)
                await until(lambda: same(owner, running) and same(owner, started))
                assert epoch + 1 == owner.offer.epoch, "it is repaired once"
        assert (await read_head(redis, KEYS)).snapshot


@pytest.mark.parametrize("lost", ["the snapshot", "some fields", "the field that says what is whole"])
async def test_a_follower_loads_no_incomplete_snapshot(lost: str, redis_server: EmbeddedRedis, redis: Redis) -> None:
    """While no owner repairs it, the shard stays unloaded and stale: its gateway is not ready."""
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    await LOSSES[lost](redis)
    async with following(redis_server) as reader:
        await asyncio.sleep(0.5)
        assert ([], 0, True) == (reader.heard, reader.offer.epoch, reader.follower.stale)
        async with kept(owner):
            await until(lambda: same(owner, reader))


async def test_a_record_that_was_damaged_is_written_again(redis_server: EmbeddedRedis, redis: Redis) -> None:
    """The owner can't see that, so the follower that finds it asks."""
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    await redis.hset(KEYS.snapshot, "m:e1/match_odds", b"\xc1")
    async with kept(owner), following(redis_server) as reader:
        await until(lambda: same(owner, reader))
        assert owner.offer.epoch == reader.offer.epoch == 1_000_001


async def test_what_stays_unreadable_is_asked_for_once(redis_server: EmbeddedRedis, redis: Redis) -> None:
    """As what another release writes: the rest is loaded, and no engine writes its state again and again."""
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    await owner.offers(2000, "e2/match_odds")
    await redis.hset(KEYS.snapshot, "m:e1/match_odds", b"\xc1")
    async with following(redis_server) as reader:
        while (await read_head(redis, KEYS)).snapshot:
            await asyncio.sleep(0.01)
        await owner.publisher.claim(0)
        await redis.hset(KEYS.snapshot, "m:e1/match_odds", b"\xc1")
        await until(lambda: ["e2/match_odds"] == list(reader.offer.markets))
        assert (await read_head(redis, KEYS)).snapshot


async def test_an_epoch_below_the_followers_is_not_kept(redis_server: EmbeddedRedis, redis: Redis) -> None:
    """Redis has lost its data, and the clock of the engine that starts then is behind."""
    first = await Owner(redis).claimed(now_ms=2_000_000)
    await first.offers(2000)
    async with following(redis_server, stale_after_s=0.3) as reader:
        await until(lambda: same(first, reader))
        await redis.flushall()
        owner = await Owner(redis).claimed(now_ms=1_000_000)
        await owner.offers(2100)
        async with kept(owner):
            await until(lambda: same(owner, reader))
    assert 2_000_001 == reader.offer.epoch


async def test_a_new_owner_loads_what_is_left(redis: Redis) -> None:
    owner = await Owner(redis).claimed()
    for market in MARKETS:
        await owner.offers(2000, market)
    await lose_fields(redis)
    new = await Owner(redis).claimed()
    assert ["e2/match_odds"] == list(new.offer.markets)
    assert (await read_head(redis, KEYS)).snapshot


async def test_a_snapshot_stays_whole_whatever_is_published(redis: Redis) -> None:
    """Also when a market returns that was removed, which leaves two tombstones of one name."""
    owner = await Owner(redis).claimed()
    for _ in range(3):
        await owner.offers(2000)
        owner.offer.remove_event(an_event().id)
        await owner.flush()
        assert (await read_head(redis, KEYS)).snapshot
    assert [] == owner.offer.changes_since(BEGINNING).markets


async def test_a_snapshot_stays_whole_whatever_the_number_of_changes(redis_server: EmbeddedRedis, redis: Redis) -> None:
    """More than a script may pass on at once, in a claim, a change and a removal."""
    owner = Owner(redis)
    markets = [f"e{number}/match_odds" for number in range(1100)]
    for price in (2000, 2100):
        for number, market in enumerate(markets):
            owner.offer.stage_event(an_event(f"e{number}"))
            owner.offer.stage_market(an_offer_of(market, {"home": price}))
        if price == 2000:
            owner.offer.commit(0)
            await owner.publisher.claim(1_000_000)
        await owner.flush()
    async with following(redis_server) as reader:
        await until(lambda: same(owner, reader))
    for number in range(1, 1100):
        owner.offer.remove_event(an_event(f"e{number}").id)
    for _ in range(5):  # a refresh is written in pieces
        await owner.flush(heartbeat=True)
    head = await read_head(redis, KEYS)
    assert head.snapshot == head.top
    async with following(redis_server) as reader:
        await until(lambda: same(owner, reader))
    fields: Any = await redis.hkeys(KEYS.snapshot)
    assert [b"m:e0/match_odds"] == [field for field in fields if field.startswith(b"m:")]


async def test_what_an_earlier_attempt_has_left_of_a_draft_is_no_part_of_the_next(redis: Redis) -> None:
    owner = Owner(redis)
    await redis.hset(KEYS.draft(owner.publisher._owner), "m:left", "x")
    async with asyncio.timeout(10):
        await owner.claimed()
    assert not await redis.hexists(KEYS.snapshot, "m:left")
