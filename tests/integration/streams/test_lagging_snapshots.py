"""Snapshots behind their stream, as they are nearly always."""

from __future__ import annotations

from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from oddsengine.domain.ids import EventId, MarketId
from oddsengine.streams.kept_entries import KeptEntries
from oddsengine.streams.snapshots import refresh
from oddsengine.streams.snapshots.stored import read_head
from tests.support.builders import an_event, an_offer_of
from tests.support.streams.ends import KEYS, Owner, following, kept, same, until

if TYPE_CHECKING:
    import pytest
    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis

NEVER_S = 1000.0


async def lagging(redis: Redis) -> Owner:
    """An owner whose snapshot is of the beginning of its epoch, with changes and a removal since then."""
    owner = await Owner(redis, refresh_s=NEVER_S).claimed()
    for market, price in (("e1/match_odds", 2000), ("e2/match_odds", 2000), ("e1/match_odds", 2100), ("e3/match_odds", 2000)):
        await owner.offers(price, market)
    owner.offer.suspend(MarketId("e3/match_odds"), "doubt")
    owner.offer.remove_event(EventId("e2"))
    await owner.flush()
    head = await read_head(redis, KEYS)
    assert head.snapshot is not None
    assert (0, 5) == (head.snapshot.seq, head.top.seq)
    return owner


async def test_a_follower_loads_the_snapshot_and_what_followed(redis_server: EmbeddedRedis, redis: Redis) -> None:
    """At once and as one state: no client sees what is between."""
    owner = await lagging(redis)
    async with following(redis_server) as reader:
        await until(lambda: bool(reader.heard))
        assert (["replaced"], 5) == (reader.heard, reader.offer.seq)
        assert same(owner, reader)
        ours, theirs = owner.offer.changes_since(2), reader.offer.changes_since(2)
        assert ours.markets == theirs.markets, "a client may resume from before it was loaded"
        assert set(ours.removals) == set(theirs.removals)


async def test_a_snapshot_is_not_loaded_while_an_entry_after_it_is_missing(redis_server: EmbeddedRedis, redis: Redis) -> None:
    """Not as far as it goes either: what is missing may have been a suspension."""
    owner = await lagging(redis)
    await redis.xdel(KEYS.changes, f"{owner.offer.epoch}-3")
    with capture_logs() as logs:
        async with following(redis_server) as reader:
            await until(lambda: any(log["event"] == "snapshot incomplete, waiting for its engine" for log in logs))
            assert [] == reader.heard
            await owner.publisher.claim(2_000_000)
            await until(lambda: same(owner, reader))


async def test_a_new_owner_continues_from_the_end_of_the_stream(redis: Redis) -> None:
    await lagging(redis)
    new = await Owner(redis).claimed()
    assert {"e1/match_odds": (2, (2100,)), "e3/match_odds": (2, (None,))} == {
        market.id: (market.v, market.selections["home"].prices) for market in new.offer.markets.values()
    }
    assert "suspended" == new.offer.markets[MarketId("e3/match_odds")].state.status


async def test_an_owner_whose_tail_was_lost_writes_it_again(redis_server: EmbeddedRedis, redis: Redis) -> None:
    owner = await lagging(redis)
    async with following(redis_server) as running:
        await until(lambda: same(owner, running))
        await redis.xdel(KEYS.changes, f"{owner.offer.epoch}-5")
        async with kept(owner):
            await until(lambda: running.offer.epoch == 1_000_001)
            await until(lambda: same(owner, running))


async def test_what_was_lost_between_is_in_the_next_refresh(redis_server: EmbeddedRedis, redis: Redis) -> None:
    """Nobody loads a state with a hole in it."""
    owner = await lagging(redis)
    await redis.xdel(KEYS.changes, f"{owner.offer.epoch}-3")
    async with following(redis_server) as reader:
        await owner.offers(2200)
        assert [] == reader.heard
        owner.publisher._refresh._due_s = 0.0
        await owner.offers(2300)
        await until(lambda: same(owner, reader))
    assert 1_000_000 == reader.offer.epoch


async def test_a_large_refresh_is_written_in_pieces(
    redis_server: EmbeddedRedis, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between them the snapshot is newer than it says, and loads as well."""
    monkeypatch.setattr(refresh, "_PIECE_FIELDS", 2)
    owner = await Owner(redis).claimed()
    for number in range(5):
        owner.offer.stage_event(an_event(f"e{number}"))
        owner.offer.stage_market(an_offer_of(f"e{number}/match_odds"))
    await owner.flush()
    positions = []
    for price in range(2000, 2800, 100):
        head = await read_head(redis, KEYS)
        assert head.snapshot is not None
        positions.append(head.snapshot.seq)
        async with following(redis_server) as reader:
            await until(lambda: same(owner, reader))
        await owner.offers(price, "e1/match_odds")
    assert [0, 0, 0, 0, 1, 6] == positions[:6], "10 records, 2 with each entry"
    assert 12 == await redis.hlen(KEYS.snapshot)


def test_no_entry_is_dropped_that_the_snapshot_lacks() -> None:
    kept_entries = KeptEntries(limit_bytes=100)
    for seq in range(1, 50):
        kept_entries.add(seq, 60)
    assert "7-49" == kept_entries.oldest(7, 48)
    assert "7-21" == kept_entries.oldest(7, 20)
