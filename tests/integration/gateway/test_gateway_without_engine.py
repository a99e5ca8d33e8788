"""A gateway that starts while no engine is running: the age of what it finds in Redis is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp

from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.runtime.gateway import run_gateway
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.publisher import Publisher, prepare
from tests.support.builders import an_event, an_offer_of
from tests.support.service import RunningGateway, quick_settings

if TYPE_CHECKING:
    from redis.asyncio import Redis


async def test_markets_of_unknown_age_are_suspended_and_price_checks_fail(redis: Redis, redis_server: Any) -> None:
    offer = OwnedOffer(("default",))
    settings = quick_settings(stale_suspend_after_s=2.0)
    publisher = Publisher(redis, 0, shard_keys(settings.redis.namespace, 0), offer)
    await publisher.claim(1_000_000)
    offer.stage_event(an_event())
    offer.stage_market(an_offer_of("e1/match_odds", {"home": 2000}))
    batch = offer.commit(0)
    assert batch is not None
    await publisher.publish(prepare(offer, batch))

    async with run_gateway(settings, redis_server.url) as gateway, aiohttp.ClientSession() as http:
        service = RunningGateway(gateway, http)
        async with service.socket() as socket:
            await socket.subscribe("sport:football")
            await socket.receive_until("stale")
            while (message := await socket.receive()).get("markets", [{}])[0].get("status") != "suspended":
                assert message["op"] in {"snapshot", "delta", "heartbeat"}
            assert "stale" == message["markets"][0]["reason"]
        market = await service.get("/v1/markets/e1%2Fmatch_odds")
        assert ("suspended", None) == (market["status"], market["selections"]["home"]["price"])
        quote = b'{"quotes":[{"market":"e1/match_odds","selection":"home","price":2.0,"v":1}]}'
        assert "ok" != (await service.post("/v1/quotes/check", quote))["quotes"][0]["result"]
