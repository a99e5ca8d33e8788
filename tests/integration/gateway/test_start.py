"""A gateway that has not loaded every shard answers that it is starting, never that something is not on offer."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import aiohttp
import pytest
from websockets.exceptions import InvalidStatus

from oddsengine.runtime.gateway import open_gateway, run_gateway
from oddsengine.runtime.processes.startup import Startup
from oddsengine.runtime.timing import Timing
from oddsengine.streams.keys import shard_keys
from tests.support.service import RunningGateway, publish_once, quick_settings, running_service, wait_until

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis

QUOTE = b'{"quotes":[{"market":"e1/match_odds","selection":"home","price":2.0}]}'
QUESTIONS = (
    "/v1/events",
    "/v1/events/e1",
    "/v1/markets/e1%2Fmatch_odds",
    "/v1/markets/e1%2Fmatch_odds/explain",
    "/v1/snapshot?channel=event:e1",
    "/v1/snapshot?channel=sport:football",
    "/v1/sse?channel=event:e1",
    "/v1/sse?channel=sport:football",
)


async def assert_starting(service: RunningGateway) -> None:
    """Check that every question and every kind of session is answered with 503 and a time to retry."""
    for path in QUESTIONS:
        async with service.http.get(service.base + path) as response:
            assert (503, "1") == (response.status, response.headers["Retry-After"]), path
            assert "not_ready" == (await response.json())["error"]["code"]
    await service.post("/v1/quotes/check", QUOTE, 503)
    await service.get("/readyz", 503)
    await service.get("/healthz")
    with pytest.raises(InvalidStatus) as refused:
        async with service.socket():
            pass
    assert (503, "1") == (refused.value.response.status_code, refused.value.response.headers["Retry-After"])
    assert not service.hub.sessions


async def test_a_gateway_whose_redis_hangs_is_starting_until_it_answers(redis: Redis, redis_server: EmbeddedRedis) -> None:
    settings = quick_settings(shards=2)
    await publish_once(redis, settings, "e1", "e2", "e3")
    assert redis_server.pid is not None
    os.kill(redis_server.pid, signal.SIGSTOP)
    try:
        timing = Timing(socket_timeout_s=0.3)
        async with run_gateway(settings, redis_server.url, timing=timing) as gateway, aiohttp.ClientSession() as http:
            service = RunningGateway(gateway, http)
            await assert_starting(service)
            os.kill(redis_server.pid, signal.SIGCONT)
            await wait_until(lambda: not gateway.hub.replica.unloaded(), "the snapshots")
            assert 3 == len((await service.get("/v1/events"))["events"])
            async with service.socket() as socket:
                assert ["event:e2"] == (await socket.subscribe("event:e2"))["channels"]
    finally:
        os.kill(redis_server.pid, signal.SIGCONT)


async def test_a_gateway_is_starting_until_the_last_shard_is_loaded(redis: Redis, redis_server: EmbeddedRedis) -> None:
    """An engine has published the first of two shards only."""
    both = quick_settings(shards=2)
    await publish_once(redis, both, "e1")
    await redis.delete(*shard_keys(both.redis.namespace, 1))
    timing = Timing(socket_timeout_s=0.5)
    async with run_gateway(both, redis_server.url, timing=timing) as gateway, aiohttp.ClientSession() as http:
        service = RunningGateway(gateway, http)
        await wait_until(lambda: gateway.hub.replica.unloaded() == [1], "the first shard")
        await assert_starting(service)
        assert "1 of 2 shards" in (await service.get("/v1/events", 503))["error"]["message"]
        await publish_once(redis, both, "e1")
        await wait_until(lambda: not gateway.hub.replica.unloaded(), "the second shard")
        await service.get("/v1/events/e1")


async def test_a_worker_that_was_started_again_accepts_once_it_is_as_current_as_the_others() -> None:
    async with (
        running_service(quick_settings()) as service,
        open_gateway(service.settings, Startup(), silent_s=30.0) as opened,
        run_gateway(service.settings, service.settings.redis.url, opened=opened) as worker,
    ):
        assert worker.hub.replica.ready
