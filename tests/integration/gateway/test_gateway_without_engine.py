"""A gateway that starts while no engine is running: the age of what it finds in Redis is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp

from oddsengine.runtime.gateway import run_gateway
from tests.support.service import RunningGateway, publish_once, quick_settings, wait_until

if TYPE_CHECKING:
    from redis.asyncio import Redis


async def test_markets_of_unknown_age_are_suspended_and_price_checks_fail(redis: Redis, redis_server: Any) -> None:
    settings = quick_settings(stale_suspend_after_s=2.0)
    await publish_once(redis, settings, "e1")
    async with run_gateway(settings, redis_server.url) as gateway, aiohttp.ClientSession() as http:
        service = RunningGateway(gateway, http)
        await wait_until(lambda: not gateway.hub.replica.unloaded(), "the snapshot")
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
