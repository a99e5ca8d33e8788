"""The chain of digests through a shard's stream: over epochs, owners, lost replies and lost tails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from oddsengine.streams.chain.links import NO_LINK, Link, decode_link, digest_of
from oddsengine.streams.errors import Overtaken, PositionLost
from oddsengine.streams.keys import BATCH_FIELD, DIGEST_FIELD, FOLLOWS_FIELD
from oddsengine.streams.positions import Position, parse_stream_id
from tests.support.streams.ends import KEYS, Owner

if TYPE_CHECKING:
    from redis.asyncio import Redis


async def chained(redis: Redis, seen: dict[Position, bytes]) -> list[Link]:
    """Check the digest of every entry of the stream, add them to `seen`, and return what the first ones of epochs follow."""
    entries: Any = await redis.xrange(KEYS.changes)
    followed = []
    for stream_id, fields in entries:
        position = parse_stream_id(stream_id)
        if position.seq == 0:
            link = decode_link(fields[FOLLOWS_FIELD])
            followed.append(link)
            assert link == NO_LINK or seen.get(link.position, link.digest) == link.digest
            previous = link.digest
        else:
            assert FOLLOWS_FIELD not in fields
            previous = seen[Position(position.epoch, position.seq - 1)]
        assert digest_of(previous, fields[BATCH_FIELD]) == fields[DIGEST_FIELD]
        assert seen.setdefault(position, fields[DIGEST_FIELD]) == fields[DIGEST_FIELD]
    return followed


def follows(owner: Owner) -> Link:
    """Return the last entry of an owner."""
    return owner.publisher._written


async def test_every_entry_carries_the_digest_of_its_chain_over_epochs_and_owners(redis: Redis) -> None:
    first = await Owner(redis).claimed()
    for price in (2000, 2100, 2200):
        await first.offers(price)
    last = follows(first)
    await first.publisher.claim(2_000_000)  # it has its epoch opened again
    assert [NO_LINK, last] == await chained(redis, {})
    await first.offers(2300)
    last = follows(first)
    second = await Owner(redis).claimed(3_000_000)
    await second.offers(2400)
    seen: dict[Position, bytes] = {}
    assert last == (await chained(redis, seen))[-1]
    # A write of the earlier owner is refused, and what it opens after that follows what it loads.
    with pytest.raises(Overtaken):
        await first.publisher.claim(4_000_000)
    last = follows(second)
    await first.claimed(4_000_000)
    assert last == (await chained(redis, seen))[-1]


async def test_a_lost_reply_and_a_repeated_claim_change_no_digest(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    publish: Any = owner.publisher._publish

    async def lose_reply(**given: Any) -> None:
        await publish(**given)
        raise RedisConnectionError

    monkeypatch.setattr(owner.publisher, "_publish", lose_reply)
    with pytest.raises(RedisConnectionError):
        await owner.offers(2100)
    # The entry is in the stream, which its owner does not know: the next epoch follows it.
    entries: Any = await redis.xrevrange(KEYS.changes, count=1)
    claim: Any = owner.publisher._claim

    async def lose_claim(**given: Any) -> None:
        await claim(**given)
        raise RedisConnectionError

    monkeypatch.setattr(owner.publisher, "_claim", lose_claim)
    with pytest.raises(RedisConnectionError):
        await owner.publisher.claim(2_000_000)
    monkeypatch.undo()
    await owner.publisher.claim(2_500_000)
    await owner.offers(2200)
    followed = await chained(redis, {})
    assert [NO_LINK, Link(Position(1_000_000, 2), entries[0][1][DIGEST_FIELD])] == followed


async def test_after_a_write_that_was_not_made_the_chain_follows_the_one_before(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    last = follows(owner)

    async def lose_request(**_: Any) -> None:
        raise RedisConnectionError

    monkeypatch.setattr(owner.publisher, "_publish", lose_request)
    with pytest.raises(RedisConnectionError):
        await owner.offers(2100)
    monkeypatch.undo()
    await owner.publisher.claim(2_000_000)
    assert last == (await chained(redis, {}))[-1]


async def test_after_lost_data_the_chain_follows_what_the_state_was_built_on(redis: Redis) -> None:
    owner = await Owner(redis).claimed()
    for price in (2000, 2100, 2200):
        await owner.offers(price)
    seen: dict[Position, bytes] = {}
    await chained(redis, seen)
    last = follows(owner)
    await redis.xdel(KEYS.changes, last.position.stream_id())
    with pytest.raises(PositionLost):
        await owner.flush(heartbeat=True)
    await owner.publisher.claim(2_000_000)
    # The owner still has what Redis has lost, and so may every follower.
    assert last == (await chained(redis, seen))[-1]
    # A new owner has not: it goes on from what Redis has.
    await owner.offers(2400)
    before = follows(owner)
    await owner.offers(2500)
    await redis.xdel(KEYS.changes, follows(owner).position.stream_id())
    await Owner(redis).claimed(3_000_000)
    assert before == (await chained(redis, seen))[-1]
    # And with nothing left, the chain begins anew.
    await redis.flushall()
    await Owner(redis).claimed(4_000_000)
    assert [NO_LINK] == await chained(redis, {})
