"""What something else writes into a stream of ours is no other owner, and keeps nobody from what our owner has published."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest

from oddsengine.domain.ids import MarketId
from oddsengine.domain.results import WON
from oddsengine.streams.errors import Fenced, PositionLost
from oddsengine.webhooks.shard_watch import ShardWatch
from tests.support.builders import an_event, an_offer_of
from tests.support.streams.ends import KEYS, Owner, following, kept, same, until

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis

NEVER_S: Final = 1000.0
#: ids of foreign entries: the one that Redis gives them, one in an epoch far away, one that could begin it, and the last but one
IDS: Final = ("*", "4000000000000000-7", "4000000000000000-0", "18446744073709551615-18446744073709551614")


async def published(redis: Redis) -> Owner:
    """An owner whose snapshot is of the beginning of its epoch."""
    owner = await Owner(redis, refresh_s=NEVER_S).claimed()
    for price in (2000, 2100, 2200):
        await owner.offers(price)
    return owner


def version(owner: Owner) -> int:
    return owner.offer.markets[MarketId("e1/match_odds")].v


@pytest.mark.parametrize("stream_id", IDS)
async def test_a_foreign_entry_costs_a_new_epoch_of_the_same_owner(
    stream_id: str, redis_server: EmbeddedRedis, redis: Redis
) -> None:
    owner = await published(redis)
    async with following(redis_server) as reader, kept(owner):
        await until(lambda: same(owner, reader))
        epoch = owner.offer.epoch
        for _ in range(2):
            await redis.xadd(KEYS.changes, {"foreign": "1"}, id=stream_id)
            stream_id = "*"
        await until(lambda: owner.offer.epoch > epoch)
        await until(lambda: reader.offer.epoch == owner.offer.epoch and same(owner, reader))
    assert 3 == version(owner)


async def test_a_foreign_entry_at_our_next_position_is_not_ours(redis: Redis) -> None:
    owner = await published(redis)
    await redis.xadd(KEYS.changes, {"foreign": "1"}, id=f"{owner.offer.epoch}-{owner.offer.seq + 1}")
    with pytest.raises(PositionLost):
        await owner.offers(2300)


async def test_a_stream_that_takes_no_entry_any_more_is_begun_anew(redis_server: EmbeddedRedis, redis: Redis) -> None:
    owner = await published(redis)
    last = "18446744073709551615-18446744073709551615"
    async with following(redis_server) as reader, kept(owner):
        await until(lambda: same(owner, reader))
        epoch = owner.offer.epoch
        await redis.xadd(KEYS.changes, {"foreign": "1"}, id=last)
        await redis.xdel(KEYS.changes, last)
        await until(lambda: owner.offer.epoch > epoch)
        await until(lambda: reader.offer.epoch == owner.offer.epoch and same(owner, reader))


async def test_another_owner_below_foreign_entries_is_one_all_the_same(redis: Redis) -> None:
    owner = await published(redis)
    await Owner(redis).claimed(2_000_000)
    await redis.xadd(KEYS.changes, {"foreign": "1"})
    with pytest.raises(Fenced):
        await owner.offers(2300)


@pytest.mark.parametrize("stream_id", IDS)
async def test_a_new_owner_goes_on_from_what_was_published_before_a_foreign_entry(stream_id: str, redis: Redis) -> None:
    await published(redis)
    await redis.xadd(KEYS.changes, {"foreign": "1"}, id=stream_id)
    assert 3 == version(await Owner(redis).claimed())


async def test_a_new_owner_goes_on_from_what_was_published_after_a_snapshot_that_lacks_records(redis: Redis) -> None:
    owner = await Owner(redis, refresh_s=0.0).claimed()
    await owner.offers(2000)
    await owner.offers(2000, "e2/match_odds")
    owner.publisher._refresh._due_s = time.monotonic() + NEVER_S  # it is not brought up to what follows
    await owner.offers(2100)
    await redis.hdel(KEYS.snapshot, "m:e2/match_odds")
    assert 2 == version(await Owner(redis).claimed())


async def test_results_are_not_forgotten_while_their_markets_are_missing_from_a_snapshot(redis: Redis) -> None:
    """Else webhooks would tell of them again once they are back."""
    owner = await Owner(redis).claimed()
    settled = an_offer_of("e1/match_odds", status="closed")
    settled.selections["home"] = settled.selections["home"]._replace(status="winner", result=WON)  # type: ignore[index]
    owner.offer.stage_event(an_event())
    owner.offer.stage_market(settled)
    await owner.flush()
    noted: dict[str, str] = {}
    await ShardWatch(redis, "test", 0, noted, ()).read(0)
    assert any(field.endswith("e1/match_odds") for field in noted)
    await redis.hdel(KEYS.snapshot, "m:e1/match_odds")
    notes, _ = await ShardWatch(redis, "test", 0, noted, ()).read(0)
    assert [] == notes
