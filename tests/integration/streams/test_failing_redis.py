"""A Redis that refuses, is demoted, is slow or full: what is written to it, what is logged, and how much it holds."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from structlog.testing import capture_logs

from oddsengine.offer.offer import BEGINNING
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.streams.clients.server_clock import MAX_AGE_MS
from oddsengine.streams.clients.shared_reader import _BLOCK_MS
from oddsengine.streams.connection import REDIS_OUTAGE, SOCKET_TIMEOUT_S, UNAVAILABLE, open_client
from oddsengine.streams.embedded import EmbeddedRedis
from oddsengine.streams.leases.keeper import LEASE_S
from oddsengine.streams.publisher import Publisher, prepare
from oddsengine.streams.snapshots.stored import read_head, read_top
from tests.support.builders import an_event, an_offer_of
from tests.support.processes.ports import free_port
from tests.support.service import running_service, wait_until
from tests.support.streams.ends import KEYS, Owner, following, same, until

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis


async def replicate(replica: Redis, primary: Redis) -> None:
    """Make one server the replica of another one, and wait until it has its data."""
    port = free_port()
    await primary.config_set("port", port)
    await replica.replicaof("127.0.0.1", port)
    async with asyncio.timeout(30):
        while (await replica.info("replication"))["master_link_status"] != "up":
            await asyncio.sleep(0.05)


async def test_a_connection_that_fails_ends_none_that_another_command_has_taken(redis: Redis) -> None:
    """Those that are idle then are closed, since they may be dead too: before they can be taken."""
    pool: Any = redis.connection_pool
    for connection in [await pool.get_connection() for _ in range(4)]:
        connection.retry = Retry(NoBackoff(), 0)
        await pool.release(connection)
    failing = await pool.get_connection()
    await failing.disconnect()
    released, *answers = await asyncio.gather(pool.release(failing), *(redis.ping() for _ in range(4)))
    assert (None, [True] * 4) == (released, answers)


async def test_a_demoted_primary_is_left_at_once(redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path) -> None:
    """The connection to it stays open; behind the configured address there is the new primary."""
    address = tmp_path / "redis.sock"
    address.symlink_to(redis_server.socket)
    client = open_client(f"unix://{address}")
    async with EmbeddedRedis() as other_server:
        other = open_client(other_server.url)
        owner = await Owner(client).claimed()
        await owner.offers(2000)
        await replicate(other, redis)
        await other.replicaof("NO", "ONE")
        await replicate(redis, other)
        address.unlink()
        address.symlink_to(other_server.socket)
        epoch = owner.offer.epoch
        await owner.offers(2100)
        assert (epoch, 2) == await read_top(other, KEYS.changes)
        await other.aclose()
    await client.aclose()


async def fill(redis: Redis) -> None:
    await redis.config_set("maxmemory", 1)


async def relieve(redis: Redis) -> None:
    await redis.config_set("maxmemory", 0)


async def demote(redis: Redis) -> None:
    await redis.replicaof("127.0.0.1", free_port())


async def promote(redis: Redis) -> None:
    await redis.replicaof("NO", "ONE")


async def require_password(redis: Redis) -> None:
    await redis.config_set("requirepass", "s3cret")
    await redis.client_kill_filter(_type="normal", skipme=True)


async def require_none(redis: Redis) -> None:
    await redis.config_set("requirepass", "")


FAULTS = {"OOM": (fill, relieve), "READONLY": (demote, promote), "NOAUTH": (require_password, require_none)}


@pytest.mark.parametrize("cause", FAULTS)
async def test_a_fault_of_redis_is_one_line_when_it_begins_and_one_when_it_ends(cause: str) -> None:
    """Named as Redis names it, whatever the number of shards and connections that fail, and however often."""
    begin, end = FAULTS[cause]
    with capture_logs() as logs:
        async with running_service(own_redis=True) as service:
            redis = open_client(service.redis_url)
            await begin(redis)

            def events(event: str) -> list[Any]:
                return [line for line in logs if line["event"] == event]

            await wait_until(lambda: bool(events("redis unavailable")), "the log line")
            await asyncio.sleep(1.0)
            await end(redis)
            await wait_until(lambda: bool(events("redis available again")), "the end")
            await wait_until(lambda: service.hub.replica.ready, "readiness")
            await redis.aclose()
    began = events("redis unavailable")
    assert [cause] == [line["cause"] for line in began]
    assert 1 == len(events("redis available again"))
    assert [] == [line for line in logs if line["log_level"] == "warning" and "redis" in line["event"]]


async def test_a_claim_that_is_interrupted_continues(redis_server: EmbeddedRedis, redis: Redis) -> None:
    """No piece is written twice, nobody sees the epoch before it is whole, and one epoch is opened."""
    markets = 12_000
    offer = OwnedOffer(("default",))
    for number in range(markets):
        offer.stage_event(an_event(f"e{number}"))
        offer.stage_market(an_offer_of(f"e{number}/match_odds", {"home": 2000}))
    offer.commit(0)
    client = open_client(redis_server.url, 0.3)
    publisher = Publisher(client, 0, KEYS, offer, jump=int)
    assert redis_server.pid is not None
    claiming = asyncio.create_task(publisher.claim(1_000_000))
    while not (drafts := await redis.keys("*:draft:*")):
        await asyncio.sleep(0)
    os.kill(redis_server.pid, signal.SIGSTOP)
    with pytest.raises(UNAVAILABLE):
        await claiming
    os.kill(redis_server.pid, signal.SIGCONT)
    assert 0 < await redis.hlen(drafts[0]) < 2 * markets
    assert (0, 0) == await read_top(redis, KEYS.changes)
    await publisher.claim(2_000_000)
    assert (1_000_000, 0) == await read_top(redis, KEYS.changes)
    assert (await read_head(redis, KEYS)).snapshot
    assert 2 * markets + 2 == await redis.hlen(KEYS.snapshot)
    assert 1 == await redis.xlen(KEYS.changes)
    assert [] == await redis.keys("*:draft:*")
    await client.aclose()


async def test_a_stream_is_bounded_in_bytes(redis_server: EmbeddedRedis, redis: Redis) -> None:
    """Across epochs too. A follower that is further behind loads the snapshot."""
    limit = 400_000
    owner = Owner(redis)
    owner.publisher = Publisher(redis, 0, KEYS, owner.offer, stream_bytes=limit, refresh_s=0.0, jump=int)
    await owner.claimed()
    used = []
    names = [f"{'runner' * 20}-{number}" for number in range(100)]
    for round_ in range(60):
        await owner.offers_of(dict.fromkeys(names, 2000 + round_))
        if round_ == 40:
            await owner.publisher.claim(0)
        used.append(int(await redis.memory_usage(KEYS.changes, samples=0) or 0))
    assert limit / 2 < max(used) < 1.25 * limit + 50_000
    assert used[-1] < 1.25 * limit + 50_000
    async with following(redis_server) as reader:
        await until(lambda: same(owner, reader))
    assert 1 == len(owner.offer.changes_since(BEGINNING).markets)


async def test_an_entry_larger_than_the_bound_is_published(redis: Redis) -> None:
    owner = Owner(redis)
    owner.publisher = Publisher(redis, 0, KEYS, owner.offer, stream_bytes=10, refresh_s=0.0, jump=int)
    await owner.claimed()
    for price in (2000, 2100, 2200):
        await owner.offers(price)
    assert (owner.offer.epoch, 3) == await read_top(redis, KEYS.changes)


async def test_a_timeout_that_was_wrong_repeats_a_write_and_changes_nothing(redis_server: EmbeddedRedis, redis: Redis) -> None:
    """A busy machine may keep a reply waiting for longer than a connection may be silent: no epoch, and no entry twice."""
    client = open_client(redis_server.url, 0.2)
    owner = await Owner(client).claimed()
    epoch = owner.offer.epoch
    owner.offer.stage_event(an_event())
    batch = owner.offer.commit(0)
    assert (redis_server.pid, batch) != (None, None)
    publication = prepare(owner.offer, batch)  # type: ignore[arg-type]
    os.kill(redis_server.pid, signal.SIGSTOP)  # type: ignore[arg-type]
    with pytest.raises(UNAVAILABLE):
        await owner.publisher.publish(publication)
    os.kill(redis_server.pid, signal.SIGCONT)  # type: ignore[arg-type]
    await owner.publisher.publish(publication)
    await owner.offers(2100)
    assert ((epoch, 2), 3) == (await read_top(redis, KEYS.changes), await redis.xlen(KEYS.changes))
    await client.aclose()


def test_a_connection_may_be_silent_for_less_than_what_waits_for_it() -> None:
    """Longer than a read that blocks; and shorter than a write may be old, or a lease, so that one is repeated in time."""
    assert _BLOCK_MS / 1000 < SOCKET_TIMEOUT_S < min(MAX_AGE_MS / 1000, LEASE_S)


async def test_a_user_who_may_load_but_not_read_is_one_outage(redis_server: EmbeddedRedis, redis: Redis) -> None:
    """A follower loads between its reads, which Redis answers."""
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    async with following(redis_server) as reader:
        await until(lambda: same(owner, reader))
        with capture_logs() as logs:
            await redis.acl_setuser("default", enabled=True, keys=["*"], commands=["+@all", "-xread"])
            async with asyncio.timeout(30):
                while (await redis.info("commandstats")).get("cmdstat_xread", {}).get("rejected_calls", 0) < 4:
                    await asyncio.sleep(0.05)
            await redis.acl_setuser("default", enabled=True, keys=["*"], commands=["+@all"])
            await owner.offers(2100)
            await until(lambda: same(owner, reader))
            await until(lambda: not REDIS_OUTAGE.is_ongoing)
    events = [line["event"] for line in logs if line["event"].startswith("redis ")]
    assert ["redis unavailable", "redis available again"] == events


async def test_a_follower_that_ends_while_it_can_not_read_leaves_no_outage(redis_server: EmbeddedRedis, redis: Redis) -> None:
    """Else the end of the next outage would be logged twice, or never."""
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    async with following(redis_server) as reader:
        await until(lambda: same(owner, reader))
        await redis.acl_setuser("default", enabled=True, keys=["*"], commands=["+@all", "-xread"])
        await until(lambda: REDIS_OUTAGE.is_ongoing)
    assert not REDIS_OUTAGE.is_ongoing
