"""Faults outside of our processes: of Redis, and of the networks between the roles."""

from __future__ import annotations

import asyncio
import shutil
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from tests.support.faults.members import set_clock
from tests.support.faults.process_faults import connected, engine_stopped, feeder_stopped
from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.support.faults.failover import FailoverInstallation
    from tests.support.faults.relay import Condition, Relay
    from tests.support.redis.servers import RedisServer

#: Longer than everything takes to be suspended.
_FAULT_S: Final = 4.5
_LOST_TAIL_S: Final = 0.7
#: How often Redis evicts a key.
_EVICT_EVERY_S: Final = 0.2
#: How long one process of a role is cut off from Redis.
_CUT_OFF_S: Final = 6.0


async def network(running: FailoverInstallation, link: str, condition: Condition, seconds: float = _FAULT_S) -> None:
    """Cut, stall or black-hole the network of a link for a while."""
    await _fail(running.relays_of(link), condition, seconds)
    running.healed()


async def _fail(relays: Sequence[Relay], condition: Condition, seconds: float) -> None:
    for relay in relays:
        relay.set_condition(condition)
    try:
        await asyncio.sleep(seconds)
    finally:
        for relay in relays:
            relay.set_condition("open")


async def engine_cut_off(running: FailoverInstallation) -> None:
    """Black-hole the way of one engine to Redis, which another one still reaches."""
    await _fail(running.relays_of("engine")[:1], "lost", _CUT_OFF_S)


async def feeder_cut_off(running: FailoverInstallation) -> None:
    """Black-hole the way to Redis of the feeder that is connected to the provider. Another one reaches both."""
    relay = (await connected(running)).relay
    assert relay is not None
    running.begins()
    await _fail([relay], "lost", _CUT_OFF_S)


async def network_reset(running: FailoverInstallation, link: str) -> None:
    """Reset every connection of a link."""
    for relay in running.relays_of(link):
        relay.reset()
    await asyncio.sleep(0)


# -- one server -----------------------------------------------------------------------------------------------------


async def redis_paused(running: FailoverInstallation) -> None:
    """Pause Redis: it keeps its connections and answers nothing."""
    running.redis.pause()
    try:
        await asyncio.sleep(_FAULT_S)
    finally:
        running.redis.wake()
    running.healed()


async def redis_restarted_empty(running: FailoverInstallation) -> None:
    """Kill Redis, and start it without its data."""
    await running.redis.kill()
    await _started_later(running)


async def redis_restarted_with_old_file(running: FailoverInstallation) -> None:
    """Kill Redis, and start it with what it had some seconds earlier."""
    server = running.redis
    async with server.client() as client:
        await client.save()
    await asyncio.sleep(2.0)
    running.begins()
    await server.kill()
    await _started_later(running)
    (server.folder / "dump.rdb").unlink()


async def redis_restarted_with_file_of_the_past(running: FailoverInstallation) -> None:
    """Kill Redis, and start it with what it had when another engine and another feeder had the leases, which have left since."""
    server = running.redis
    async with server.client() as client:
        await client.save()
    await running.start("engine")
    await engine_stopped(running)
    await running.shared_evenly()
    await feeder_stopped(running)
    running.begins()
    await server.kill()
    await _started_later(running)
    (server.folder / "dump.rdb").unlink()


async def redis_restarted_with_log(running: FailoverInstallation) -> None:
    """Kill Redis, and start it with its append-only file, which lacks the last moments."""
    server = running.redis
    async with server.client() as client:
        await client.config_set("appendonly", "yes")
        await asyncio.sleep(1.0)
    server.options["appendonly"] = "yes"
    running.begins()
    await server.kill()
    await _started_later(running)
    del server.options["appendonly"]
    async with server.client() as client:
        await client.config_set("appendonly", "no")
    shutil.rmtree(server.folder / "appendonlydir")


async def _started_later(running: FailoverInstallation) -> None:
    await asyncio.sleep(1.0)
    await running.redis.start()
    running.healed()


async def redis_stopped(running: FailoverInstallation) -> None:
    """Stop Redis as an update does, which saves what it has, and start it again."""
    server = running.redis
    async with server.client() as client:
        await client.config_set("save", "3600 1")
    running.begins()
    await server.stop()
    await _started_later(running)
    (server.folder / "dump.rdb").unlink()


async def redis_flushed(running: FailoverInstallation) -> None:
    """Remove everything from Redis."""
    async with running.redis.client() as client:
        await client.flushall()


async def redis_full(running: FailoverInstallation) -> None:
    """Limit the memory of Redis to what it uses."""
    async with running.redis.client() as client:
        await client.config_set("maxmemory", 1)
        await asyncio.sleep(_FAULT_S)
        await client.config_set("maxmemory", 0)
    running.healed()


async def redis_disk_full(running: FailoverInstallation) -> None:
    """Block the file in which Redis saves its data: it refuses writes then."""
    server = running.redis
    # No file can take the name of a folder.
    file = server.folder / "dump.rdb"
    file.mkdir()
    async with server.client() as client:
        await client.config_set("save", "3600 1")
        await _saved(client, "err")
        running.begins()
        await asyncio.sleep(_FAULT_S)
        file.rmdir()
        await _saved(client, "ok")
        await client.config_set("save", "")
    file.unlink()
    running.healed()


async def _saved(client: Any, status: str) -> None:
    await client.bgsave()
    async with asyncio.timeout(PATIENCE_S):
        while True:
            info = await client.info("persistence")
            if not info["rdb_bgsave_in_progress"] and info["rdb_last_bgsave_status"] == status:
                return
            await asyncio.sleep(0.02)


async def redis_evicts(running: FailoverInstallation) -> None:
    """Remove one key after the other, as a Redis does that is full and may evict any."""
    async with running.redis.client() as client:
        for _ in range(round(_FAULT_S / _EVICT_EVERY_S)):
            await client.unlink(await client.randomkey())
            await asyncio.sleep(_EVICT_EVERY_S)
    running.healed()


async def redis_clock_set(running: FailoverInstallation) -> None:
    """Set the clock of Redis an hour ahead, then an hour behind, then right."""
    for offset in ("+3600", "-3600", "+0"):
        set_clock(running.redis.folder / "clock", offset)
        await asyncio.sleep(3.0)


# -- Sentinel and Cluster -------------------------------------------------------------------------------------------


async def primary_killed(running: FailoverInstallation) -> None:
    """Kill the primary that Sentinels watch."""
    former = await running.redis.primary()
    await former.kill()
    await running.redis.failed_over(former)
    running.healed()


async def failed_over_without_need(running: FailoverInstallation) -> None:
    """Make the replica the primary although the primary lives, and goes on to take writes for some seconds."""
    await running.redis.fail_over()
    running.healed()


async def primary_killed_and_tail_lost(running: FailoverInstallation, late: str) -> None:
    """Kill the primary and lose what it was given last. The processes of one role see the next one later than the others.

    Args:
        running: the installation.
        late: the role.
    """
    former = await running.redis.primary()
    async with _is_replicating_again(running):
        await running.redis.detach_replica()
        await asyncio.sleep(_LOST_TAIL_S)
        members = running.members.of[late]
        running.begins()
        await former.kill()
        for member in members:
            member.send(signal.SIGSTOP)
        try:
            await running.redis.failed_over(former)
            await asyncio.sleep(0.5)
        finally:
            for member in members:
                member.send(signal.SIGCONT)
    running.healed()


@asynccontextmanager
async def _is_replicating_again(running: FailoverInstallation) -> AsyncIterator[None]:
    try:
        yield
    finally:
        primary = await running.redis.primary()
        async with primary.client() as client:
            await client.config_set("masteruser", "")
            await client.config_set("masterauth", "")


async def replica_started_again(running: FailoverInstallation) -> None:
    """Start the former primary again, and wait until it is a replica of the present one."""
    primary = await running.redis.primary()
    for server in running.redis.servers:
        if server is not primary:
            server.options["replicaof"] = f"127.0.0.1 {primary.port}"
            await server.start()
            await _replicates(server)
    primary.options.pop("replicaof", None)


async def replicas_follow(running: FailoverInstallation) -> None:
    """Wait until the former primary is a replica of the present one."""
    primary = await running.redis.primary()
    for server in running.redis.servers:
        if server is not primary:
            await _replicates(server)


async def cluster_primary_killed(running: FailoverInstallation) -> None:
    """Kill the node of a Cluster that has the first shard."""
    key = "{odds:0}:changes"
    former = await running.redis.owner_of(key)
    await former.kill()
    async with asyncio.timeout(PATIENCE_S):
        while await running.redis.owner_of(key) is former:
            await asyncio.sleep(0.05)
    running.healed()


async def node_started_again(running: FailoverInstallation) -> None:
    """Start the nodes that were killed again, and wait until they are replicas."""
    for server in running.redis.servers:
        if not server.is_running:
            await server.start()
            await _replicates(server)


async def _replicates(server: RedisServer) -> None:
    async with asyncio.timeout(PATIENCE_S), server.client() as client:
        while True:
            try:
                state: Any = await client.info("replication")
            except RedisError:
                state = {}
            if state.get("master_link_status") == "up":
                return
            await asyncio.sleep(0.05)
