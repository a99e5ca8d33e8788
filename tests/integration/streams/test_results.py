"""Results of markets that have left the offer, in a real Redis."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import RedisError

from oddsengine.domain.ids import EventId
from oddsengine.domain.results import WON
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.streams.errors import Fenced, PositionLost
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.publisher import Publication, Publisher, prepare
from oddsengine.streams.results import Results
from tests.support.builders import an_event, an_offer_of

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis

KEYS = shard_keys("test", 0)
MARKETS = [f"e1/total/{number}" for number in range(300)]


def staged() -> OwnedOffer:
    """An offer of one event with many closed markets, one of them with a result."""
    offer = OwnedOffer(("default",))
    offer.stage_event(an_event())
    for market in MARKETS:
        offered = an_offer_of(market, status="closed")
        if market == MARKETS[0]:
            offered.selections["home"] = offered.selections["home"]._replace(status="winner", result=WON)  # type: ignore[index]
        offer.stage_market(offered)
    return offer


async def leaving(publisher: Publisher) -> Publication:
    """Claim the shard with what is staged, and prepare the removal."""
    await publisher.claim(1_000_000)
    offer = publisher.offer
    offer.remove_event(EventId("e1"), frozenset({"src"}))
    batch = offer.commit(7)
    assert batch is not None
    return prepare(offer, batch)


async def test_results_are_kept_with_the_removal_and_expire(redis: Redis) -> None:
    publisher = Publisher(redis, 0, KEYS, staged(), results_ttl_s=60, refresh_s=0.0)
    publication = await leaving(publisher)
    results = Results(redis, "test", 1)
    assert await results.find(MARKETS[0]) is None
    for _ in range(2):  # a retry changes nothing
        await publisher.publish(publication)
        for market in MARKETS:
            settled = await results.find(market)
            assert settled is not None
            assert (market, 7) == (settled.market.id, settled.left_ms)
            assert 0 < await redis.pttl(KEYS.result(market)) <= 60_000
    first = await results.find(MARKETS[0])
    assert first is not None
    assert WON == first.market.selections["home"].result
    snapshot: list[Any] = await redis.hkeys(KEYS.snapshot)
    assert not [field for field in snapshot if field.startswith(b"m:")]
    assert await results.find("e1/unknown") is None


async def test_no_results_are_kept_for_a_ttl_of_0(redis: Redis) -> None:
    publisher = Publisher(redis, 0, KEYS, staged(), results_ttl_s=0)
    await publisher.publish(await leaving(publisher))
    assert await Results(redis, "test", 1).find(MARKETS[0]) is None


async def test_a_fenced_owner_keeps_no_results(redis: Redis) -> None:
    publisher = Publisher(redis, 0, KEYS, staged())
    publication = await leaving(publisher)
    await Publisher(redis, 0, KEYS, OwnedOffer(("default",))).claim(2_000_000)
    with pytest.raises(Fenced):
        await publisher.publish(publication)
    assert await Results(redis, "test", 1).find(MARKETS[0]) is None


async def test_results_survive_the_loss_of_a_position(redis: Redis) -> None:
    """The claim that follows writes only what is on offer."""
    publisher = Publisher(redis, 0, KEYS, staged())
    publication = await leaving(publisher)
    await redis.flushall()
    with pytest.raises(PositionLost):
        await publisher.publish(publication)
    await publisher.claim(3_000_000)
    assert await Results(redis, "test", 1).find(MARKETS[0]) is not None


async def test_an_unreadable_result_is_none_and_a_redis_that_is_away_is_an_error(
    redis_server: EmbeddedRedis, redis: Redis
) -> None:
    await redis.set(KEYS.result("e1/x"), b"\xc1")
    assert await Results(redis, "test", 1).find("e1/x") is None
    away = type(redis).from_url(redis_server.url + ".gone")
    with pytest.raises((RedisError, OSError)):
        await Results(away, "test", 1).find("e1/x")
    await away.aclose()


async def test_no_more_bytes_of_results_are_kept_than_configured(redis: Redis) -> None:
    """The oldest are dropped first, and one that is written again counts once."""
    size = 300 + len((await leaving(Publisher(redis, 0, KEYS, staged()))).settled[-1][1])
    publisher = Publisher(redis, 0, KEYS, staged(), results_bytes=100 * size + 50)
    publication = await leaving(publisher)
    newest = publication.settled[-1]
    for number in range(3):
        parts = publication.settled[100 * number : 100 * number + 100]
        again = Publication(publication.seq + number, publication.batch, {}, (*parts, newest))
        await publisher.publish(again)
    results = Results(redis, "test", 1)
    found = [market for market in MARKETS if await results.find(market) is not None]
    assert MARKETS[200:] == found
    assert 101 == await redis.zcard(KEYS.kept_results)
    kept_bytes = await redis.zscore(KEYS.kept_results, "sum")
    assert kept_bytes is not None
    assert 99 * size < kept_bytes <= 100 * size + 50


async def test_results_that_have_expired_are_listed_no_more(redis: Redis) -> None:
    """Else the list would grow for as long as there is room for what it lists."""
    publisher = Publisher(redis, 0, KEYS, staged(), results_ttl_s=0.2)
    publication = await leaving(publisher)
    await publisher.publish(Publication(publication.seq, publication.batch, {}, publication.settled[1:]))
    # As others that are written meanwhile keep it.
    await redis.persist(KEYS.kept_results)
    while await redis.exists(KEYS.result(MARKETS[1])):
        await asyncio.sleep(0.01)
    await publisher.publish(Publication(publication.seq + 1, publication.batch, {}, publication.settled[:1]))
    listed: Any = await redis.zrange(KEYS.kept_results, 0, -1)
    assert 2 == len(listed), "their sum, and the newest"
