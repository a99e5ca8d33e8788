"""What a Redis must be, and what must be in it, before a process serves or owns anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from oddsengine.cli.check import problems_of
from oddsengine.runtime.settings import parse_settings
from oddsengine.streams.errors import UnsuitableRedis
from oddsengine.streams.installation import Installation, identify
from oddsengine.streams.keys import installation_key
from tests.support.redis.granted import granted
from tests.support.redis.servers import RedisServer

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis


async def test_a_namespace_of_many_shards_of_an_earlier_release_is_refused(redis: Redis) -> None:
    """Its keys have other names. One of few shards is served on."""
    for shards in (16, 64):
        await redis.hset(installation_key(f"of{shards}"), "shards", str(shards))
    await Installation(redis, "of16", 16).declare()
    with pytest.raises(UnsuitableRedis, match="named the keys of more than 16 shards"):
        await Installation(redis, "of64", 64).declare()
    await Installation(redis, "new", 64).declare()
    await identify(redis, "new", 64)


async def test_the_number_of_shards_is_counted_where_it_was_lost(redis: Redis) -> None:
    await redis.hset("{odds:1}:17:snapshot", "whole", "1")
    with pytest.raises(UnsuitableRedis, match="published in 18 shards"):
        await identify(redis, "odds", 4)


async def test_a_policy_that_evicts_is_logged(redis: Redis) -> None:
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    with capture_logs() as logs:
        await identify(redis, "odds", 4)
    assert ["allkeys-lru"] == [line["policy"] for line in logs if line["log_level"] == "warning"]


@pytest.mark.parametrize(
    ("rights", "refused"),
    [
        ("+@all", "HLEN of odds:installation"),
        ("+@all ~odds:*", "XLEN of {odds:0}:changes"),
        ("+@all -@write ~odds:* ~{odds:*", "HDEL of odds:installation"),
        ("+@all -@scripting ~odds:* ~{odds:*", "EVAL of odds:installation"),
    ],
)
async def test_what_the_user_of_redis_may_not_do_is_named_with_what_to_grant(rights: str, refused: str, redis: Redis) -> None:
    await redis.execute_command("ACL", "SETUSER", "narrow", "reset", "on", "nopass", *rights.split())  # type: ignore[no-untyped-call]
    await redis.execute_command("AUTH", "narrow", "")  # type: ignore[no-untyped-call]
    try:
        with pytest.raises(UnsuitableRedis) as error:
            await identify(redis, "odds", 4)
        assert refused in str(error.value)
        assert f"grant its user ~odds:* ~{{odds:* {granted()}" in str(error.value)
    finally:
        await redis.connection_pool.disconnect()
    await identify(redis, "odds", 4)
    assert not await redis.exists("odds:installation"), "nothing was changed"


async def test_a_url_of_another_topology_is_named(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "server")
    node = RedisServer(tmp_path / "node", {"cluster-enabled": "yes", "cluster-port": server.port + 1})
    sentinel = RedisServer(tmp_path / "sentinel", sentinel="")
    started = (server, node, sentinel)
    try:
        for each in started:
            await each.start()
        wrong = {
            f"redis+cluster://127.0.0.1:{server.port}": "it is no Redis Cluster",
            f"redis+sentinel://127.0.0.1:{server.port}/odds": "it is no Redis Sentinel",
            node.url: "it is a node of a Redis Cluster",
            sentinel.url: "it is a Redis Sentinel",
        }
        for url, expected in wrong.items():
            settings = parse_settings(f'[gateway]\nport = 0\n[redis]\nurl = "{url}"\n', "odds.toml", {})
            (problem,) = await problems_of(settings, connect=True)
            assert expected in problem.reason
    finally:
        for each in started:
            await each.kill()


async def test_a_declaration_of_another_type_is_replaced(redis: Redis) -> None:
    installation = Installation(redis, "test", 4)
    await redis.set(installation_key("test"), "rubbish")
    await installation.declare()
    await installation.check()
    assert await redis.hgetall(installation_key("test"))
