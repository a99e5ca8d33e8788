"""Publishing and following through a real Redis: order, fencing, lost data, gaps and silence."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from redis.exceptions import ConnectionError as RedisConnectionError

from oddsengine.domain.ids import MarketId
from oddsengine.streams.errors import Fenced, Overtaken, PositionLost
from oddsengine.streams.lua import load_script
from oddsengine.streams.positions import ORIGIN, Position
from oddsengine.streams.publisher import prepare
from oddsengine.streams.snapshots.stored import read_top
from tests.support.builders import an_event, an_offer_of
from tests.support.streams.ends import KEYS, Owner, Reader, following, kept, same, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis


@pytest_asyncio.fixture
async def reader(redis_server: EmbeddedRedis, redis: Redis) -> AsyncIterator[Reader]:
    async with following(redis_server) as found:
        yield found


async def test_a_follower_gets_what_was_published_before_and_after_its_start(redis: Redis, reader: Reader) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    await until(lambda: same(owner, reader))
    await owner.offers(2100, "e2/match_odds")
    await owner.offers(2200)
    await until(lambda: same(owner, reader) and reader.offer.seq == owner.offer.seq)
    assert 3 == owner.offer.seq
    assert "live" in reader.heard


async def test_entry_ids_are_positions_without_gaps(redis: Redis) -> None:
    owner = await Owner(redis).claimed(now_ms=5_000_000)
    for price in (2000, 2100, 2200):
        await owner.offers(price)
    entries: Any = await redis.xrange(KEYS.changes)
    ids = [entry[0].decode() for entry in entries]
    assert ["5000000-0", "5000000-1", "5000000-2", "5000000-3"] == ids


async def test_publishing_a_batch_twice_has_no_further_effect(redis: Redis) -> None:
    """After a lost reply the batch is published again."""
    owner = await Owner(redis).claimed()
    owner.offer.stage_event(an_event())
    batch = owner.offer.commit(0)
    assert batch is not None
    publication = prepare(owner.offer, batch)
    await owner.publisher.publish(publication)
    await owner.publisher.publish(publication)
    assert 2 == await redis.xlen(KEYS.changes)


async def test_a_stale_owner_is_fenced_and_writes_nothing(redis: Redis) -> None:
    old = await Owner(redis).claimed()
    await old.offers(2000)
    new = await Owner(redis).claimed()
    before = await redis.hgetall(KEYS.snapshot)
    with pytest.raises(Fenced, match="another engine took over"):
        await old.offers(9000)
    assert before == await redis.hgetall(KEYS.snapshot)
    await new.offers(2100)
    assert new.offer.epoch > old.offer.epoch


async def test_a_new_owner_continues_from_what_the_last_one_published(redis: Redis) -> None:
    old = await Owner(redis).claimed()
    await old.offers(2000)
    await old.offers(2100)
    new = await Owner(redis).claimed()
    record = new.offer.markets["e1/match_odds"]  # type: ignore[index]
    assert (2, (2100,)) == (record.v, record.selections["home"].prices)


async def test_epochs_grow_even_if_redis_has_lost_its_data(redis: Redis) -> None:
    owner = await Owner(redis).claimed(now_ms=7_000_000)
    await redis.flushall()
    again = await Owner(redis).claimed(now_ms=7_000_900)
    assert again.offer.epoch == 7_000_900
    await redis.flushall()
    await owner.publisher.claim(7_000_000)
    assert owner.offer.epoch == 7_000_001


async def test_a_claim_takes_everything_into_account_that_was_written_before(redis: Redis) -> None:
    """What the last owner has suspended after the new one had loaded its state must not be open in the next epoch."""
    old = await Owner(redis).claimed()
    await old.offers(2000)
    new = Owner(redis)
    await new.publisher.load()
    old.offer.suspend(MarketId("e1/match_odds"), "source_down")
    await old.flush()
    with pytest.raises(Overtaken):
        await new.publisher.claim(2_000_000)
    assert Position(old.offer.epoch, old.offer.seq) == await read_top(redis, KEYS.changes)


@pytest.mark.parametrize("script", ["_publish", "_claim"])
async def test_a_repeated_call_is_too_old_when_the_first_one_was(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    calls: list[list[Any]] = []

    async def refuse(*, keys: list[str], args: list[Any]) -> Any:
        calls.append([*keys, *args][len(keys) :])
        raise RedisConnectionError

    monkeypatch.setattr(owner.publisher, script, refuse)
    owner.offer.stage_market(an_offer_of(prices={"home": 3000}))
    batch = owner.offer.commit(0)
    assert batch is not None
    publication = prepare(owner.offer, batch)
    for _ in range(2):
        with pytest.raises(RedisConnectionError):
            await (owner.publisher.publish(publication) if script == "_publish" else owner.publisher.claim(2_000_000, [batch]))
        await asyncio.sleep(0.02)
    assert calls[0] == calls[1]
    assert calls[0][5 if script == "_publish" else 7] > 0, "the time after which it is too old"


async def test_an_epoch_is_opened_although_entries_above_it_were_deleted(redis: Redis) -> None:
    """Redis refuses ids below those of entries that it no longer has. The next owner's clock may be behind."""
    await Owner(redis).claimed(now_ms=9_000_000)
    await redis.xdel(KEYS.changes, "9000000-0")
    async with asyncio.timeout(30):
        owner = await Owner(redis).claimed(now_ms=5_000_000)
    await owner.offers(2000)
    assert Position(5_000_000, 1) == await read_top(redis, KEYS.changes)


async def older_state(redis: Redis) -> Callable[[], Awaitable[None]]:
    """Dump what Redis holds. Returns a function that restores it, as an old backup or a lagging replica would."""
    dumps = {key: await redis.dump(key) for key in KEYS}

    async def restore() -> None:
        for key, dump in dumps.items():
            assert dump is not None
            await redis.restore(key, 0, dump, replace=True)

    return restore


async def current(owner: Owner, reader: Reader) -> None:
    """Wait until a follower has what its owner published, and a heartbeat of it."""
    await until(lambda: same(owner, reader))
    await owner.flush(heartbeat=True)
    await until(lambda: not reader.follower.stale)


async def test_a_follower_never_goes_back_within_an_epoch(redis: Redis, reader: Reader) -> None:
    """A market that is suspended must not be shown open because Redis returns with an older state."""
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    restore = await older_state(redis)
    owner.offer.suspend(MarketId("e1/match_odds"), "source_down")
    await owner.flush()
    await current(owner, reader)
    await restore()
    await until(lambda: reader.follower.stale)
    assert same(owner, reader), "the newer state is kept"
    assert reader.heard.count("replaced") == 1
    new = await Owner(redis).claimed(now_ms=2_000_000)
    await until(lambda: same(new, reader) and reader.offer.epoch == new.offer.epoch)


async def test_a_follower_that_lost_its_connection_never_goes_back(redis_server: EmbeddedRedis, redis: Redis) -> None:
    """After a reconnect the last entry is compared with everything that was ever read, without waiting for a silence."""
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    restore = await older_state(redis)
    for price in (2100, 2200):
        await owner.offers(price)
    async with following(redis_server, stale_after_s=inf) as reader:
        await current(owner, reader)
        await restore()
        await redis.client_kill_filter(_type="normal", skipme=True)
        await until(lambda: reader.follower.stale)
        assert same(owner, reader)


async def test_a_follower_continues_when_lost_entries_return(redis: Redis, reader: Reader) -> None:
    """A lagging replica has the same history: once it has caught up, no new epoch is needed."""
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    behind = await older_state(redis)
    await owner.offers(2100)
    await current(owner, reader)
    caught_up = await older_state(redis)
    await behind()
    await until(lambda: reader.follower.stale)
    await caught_up()
    await owner.offers(2200)
    await until(lambda: same(owner, reader) and not reader.follower.stale)


async def test_lost_data_is_detected_before_the_next_write(redis: Redis) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    await redis.flushall()
    with pytest.raises(PositionLost, match="ends at 0-0"):
        await owner.offers(2100)
    assert ORIGIN == await read_top(redis, KEYS.changes)


async def test_a_follower_reloads_after_a_claim_that_follows_lost_data(redis: Redis, reader: Reader) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    await until(lambda: same(owner, reader))
    await redis.flushall()
    await owner.publisher.claim(1_000_000)
    await owner.offers(2200)
    await until(lambda: same(owner, reader) and reader.offer.epoch == owner.offer.epoch)
    assert 2 <= reader.heard.count("replaced")


async def test_a_gap_in_the_sequence_reloads_the_snapshot(redis: Redis, reader: Reader) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    await until(lambda: same(owner, reader))
    # The entry is removed before it is read, as a trim does to a follower that lags.
    publications = []
    for price in (3000, 3100):
        owner.offer.stage_market(an_offer_of(prices={"home": price}))
        batch = owner.offer.commit(0)
        assert batch is not None
        publications.append(prepare(owner.offer, batch))
    async with redis.pipeline(transaction=True) as pipe:
        epoch = owner.offer.epoch
        script = redis.register_script(load_script("publish"))
        for each in publications:
            refreshed: list[Any] = [each.seq - 1, each.seq, len(each.changed)]
            refreshed += [part for field in each.changed.items() for part in field]
            await script(keys=list(KEYS), args=[epoch, each.seq, each.batch, "0-0", b"", 0, *refreshed], client=pipe)
        pipe.xdel(KEYS.changes, f"{epoch}-{publications[0].seq}")
        await pipe.execute()
    await until(lambda: same(owner, reader))
    assert 2 <= reader.heard.count("replaced")


async def test_a_batch_that_reaches_redis_too_late_is_not_published(redis: Redis) -> None:
    """Redis's own clock decides. Here the batch was sent in another century."""
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    owner.offer.stage_market(an_offer_of(prices={"home": 3000}))
    batch = owner.offer.commit(0)
    assert batch is not None
    publication = prepare(owner.offer, batch)
    script = redis.register_script(load_script("publish"))
    arguments: list[Any] = [owner.offer.epoch, publication.seq, publication.batch, "0-0", b"", 1, 0, 0, 0]
    assert b"LATE" == await script(keys=list(KEYS), args=arguments)
    assert Position(owner.offer.epoch, publication.seq - 1) == await read_top(redis, KEYS.changes)


async def test_an_unreadable_entry_reloads_the_snapshot(redis: Redis, reader: Reader) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    await until(lambda: same(owner, reader))
    # This also ends the stream with an entry that is not the owner's, which therefore opens an epoch.
    await redis.xadd(KEYS.changes, {b"b": b"\xc1"}, id=f"{owner.offer.epoch}-{owner.offer.seq + 1}")
    async with kept(owner):
        await until(lambda: reader.heard.count("replaced") == 2)
        await until(lambda: same(owner, reader))


async def test_a_silent_shard_is_stale_until_its_next_entry(redis_server: EmbeddedRedis, redis: Redis) -> None:
    owner = await Owner(redis).claimed()
    async with following(redis_server, stale_after_s=0.3) as reader:
        await until(lambda: reader.heard == ["replaced"])
        await owner.flush(heartbeat=True)
        await until(lambda: reader.heard[-1:] == ["live"])
        await until(lambda: reader.heard[-1:] == ["stale"])
        await owner.flush(heartbeat=True)
        await until(lambda: reader.heard[-1:] == ["live"])


async def test_tombstones_reach_a_follower_that_starts_later(redis_server: EmbeddedRedis, redis: Redis, reader: Reader) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    position = owner.offer.seq
    owner.offer.remove_event(an_event().id)
    await owner.flush()
    await until(lambda: reader.offer.seq == owner.offer.seq)
    removals = reader.offer.changes_since(position).removals
    assert {("market", "e1/match_odds"), ("event", "e1")} == {(removal.kind, removal.id) for removal in removals}
    async with following(redis_server) as late:
        await until(lambda: late.offer.seq == owner.offer.seq)
        assert set(removals) == set(late.offer.changes_since(position).removals)
