"""The chain of digests through a shard's stream: over epochs, owners, lost replies and lost tails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from oddsengine.domain.ids import EventId, MarketId
from oddsengine.offer.entries.entry import decode_entry
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.streams import publisher as publisher_module
from oddsengine.streams.chain.links import NO_LINK, Link, decode_link, digest_of
from oddsengine.streams.errors import Overtaken, PositionLost, TooLate
from oddsengine.streams.keys import BATCH_FIELD, DIGEST_FIELD, FOLLOWS_FIELD
from oddsengine.streams.positions import Position, parse_stream_id
from oddsengine.streams.snapshots.stored import read_top
from tests.support.builders import an_event, an_offer_of
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


def state_of(offer: OwnedOffer | ReplicaOffer) -> dict[str, tuple[object, ...]]:
    """Return what is on offer, without positions."""
    found: dict[str, tuple[object, ...]] = {
        key: (each.v, each.identity, each.state, {name: each.prices for name, each in each.selections.items()})
        for key, each in offer.markets.items()
    }
    found.update({key: (entry.record.description,) for key, entry in offer.events.items()})
    return found


async def read_on(redis: Redis, offer: ReplicaOffer) -> ReplicaOffer:
    """Apply the entries of a stream that an offer does not have yet, without the snapshot."""
    entries: Any = await redis.xrange(KEYS.changes, min=f"({offer.epoch}-{offer.seq}")
    for stream_id, fields in entries:
        position, entry = parse_stream_id(stream_id), decode_entry(fields[BATCH_FIELD])
        assert bool(entry.profiles) == (position.seq == 0)
        if entry.profiles:
            offer.open_epoch(position.epoch, entry.profiles)
        offer.apply(entry)
    return offer


class LateWrite:
    """A script whose call stays in the network, so that its caller sees an error.

    Args:
        script: the script.
    """

    def __init__(self, script: Any) -> None:
        self._script = script
        self._given: dict[str, Any] = {}
        self.reply: Any = None

    async def __call__(self, **given: Any) -> None:
        self._given = given
        raise RedisConnectionError

    async def arrive(self, by_s: float = 2.0) -> None:
        """Send it as late as that."""
        *arguments, limit_ms = self._given["args"]
        self.reply = await self._script(keys=self._given["keys"], args=[*arguments, limit_ms - round(by_s * 1000)])


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


async def test_the_entries_alone_say_what_is_on_offer_over_epochs_owners_and_profiles(redis: Redis) -> None:
    first = await Owner(redis).claimed()
    for price, market in ((2000, "e1/match_odds"), (2100, "e2/match_odds"), (2200, "e3/match_odds")):
        await first.offers(price, market)
    alone = await read_on(redis, ReplicaOffer(()))
    # A batch of which nobody knows whether it was written, and what is committed after it.
    first.offer.stage_market(an_offer_of(prices={"home": 2500}))
    lost = first.offer.commit(0)
    first.offer.remove_event(EventId("e2"))
    last = first.offer.commit(0)
    assert lost is not None
    assert last is not None
    await first.publisher.claim(2_000_000, [lost, last])
    assert state_of(first.offer) == state_of(await read_on(redis, alone))
    # Another owner, with another profile before the one there was.
    second = Owner(redis)
    second.publisher.offer = OwnedOffer(("vip", "default"))
    await second.publisher.load()
    second.offer.suspend(MarketId("e3/match_odds"), "recovering")
    second.offer.stage_event(an_event("e4"))
    batch = second.offer.commit(0)
    assert batch is not None
    await second.publisher.claim(3_000_000, [batch])
    found = await read_on(redis, alone)
    assert ("vip", "default") == found.profiles
    assert (None, 2500) == found.markets[MarketId("e1/match_odds")].selections["home"].prices
    assert state_of(second.offer) == state_of(found)
    # Of a state that was built on half a snapshot, the entry that opens the epoch does not say what has changed.
    await redis.hdel(KEYS.snapshot, "m:e1/match_odds")
    await Owner(redis).claimed(4_000_000)
    entries: Any = await redis.xrevrange(KEYS.changes, count=1)
    assert () == decode_entry(entries[0][1][BATCH_FIELD]).profiles


async def test_a_claim_that_arrives_too_late_is_refused(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says may be wrong by then: it is made again, with what has changed meanwhile. Nothing is missing from the chain."""
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    last = follows(owner)
    late = LateWrite(owner.publisher._claim)
    monkeypatch.setattr(owner.publisher, "_claim", late)
    with pytest.raises(RedisConnectionError):
        await owner.publisher.claim(2_000_000)
    monkeypatch.undo()
    await late.arrive()
    assert b"LATE" == late.reply
    assert last.position == await read_top(redis, KEYS.changes)
    monkeypatch.setattr(publisher_module, "MAX_AGE_MS", -1)
    with pytest.raises(TooLate):
        await owner.publisher.claim(2_000_000)
    monkeypatch.undo()
    owner.offer.stage_market(an_offer_of("e1/match_odds", {"home": 2500}))
    batch = owner.offer.commit(0)
    assert batch is not None
    await owner.publisher.claim(2_000_000, [batch])
    assert [NO_LINK, last] == await chained(redis, {})
    assert state_of(owner.offer) == state_of(await read_on(redis, ReplicaOffer(())))


async def test_a_claim_that_was_given_up_and_arrives_all_the_same_is_followed(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    last = follows(owner)
    late = LateWrite(owner.publisher._claim)
    monkeypatch.setattr(owner.publisher, "_claim", late)
    with pytest.raises(RedisConnectionError):
        await owner.publisher.claim(2_000_000)
    monkeypatch.undo()
    await late.arrive(by_s=0.0)
    monkeypatch.setattr(publisher_module, "MAX_AGE_MS", -1)
    with pytest.raises(TooLate):
        await owner.publisher.claim(2_000_000)
    monkeypatch.undo()
    opened = await read_top(redis, KEYS.changes)
    await owner.publisher.claim(2_000_000)
    followed = await chained(redis, {})
    assert ([NO_LINK, last], opened) == (followed[:2], followed[2].position)
    await owner.offers(2200)
