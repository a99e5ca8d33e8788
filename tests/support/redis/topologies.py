"""A primary with a replica and Sentinels, and a Cluster, of real servers on loopback. They fail over within about a second."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import RedisError

from tests.support.redis.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

MASTER: Final = "odds"
_SLOTS: Final = 16_384
_PATIENCE_S: Final = 60.0


class Watched:
    """A primary, its replica, and the Sentinels that watch them.

    Args:
        servers: the primary, as it is at first, and its replica.
        sentinels: the Sentinels.
        credentials: `user:password@`, or empty.
    """

    def __init__(self, servers: Sequence[RedisServer], sentinels: Sequence[RedisServer], credentials: str = "") -> None:
        self.servers = list(servers)
        self.sentinels = list(sentinels)
        nodes = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in sentinels)
        self.url = f"redis+sentinel://{credentials}{nodes}/{MASTER}/0"

    async def primary(self) -> RedisServer:
        """Return the server that the Sentinels call the primary."""
        client = self.sentinels[0].client()
        try:
            _, port = await client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)
        finally:
            await client.aclose()
        return next(server for server in self.servers if server.port == int(port))

    async def fail_over(self) -> None:
        """Make the replica the primary although nothing has failed. The former primary remains one for some seconds."""
        former = await self.primary()
        async with self.sentinels[0].client() as client:
            await client.execute_command("SENTINEL", "FAILOVER", MASTER)
        await self.failed_over(former)

    async def die(self) -> None:
        """Kill the primary, and lose with it what it was given last."""
        former = await self.primary()
        await former.kill()
        await self.failed_over(former)

    async def detach_replica(self) -> None:
        """Keep from the replica what is written from now on, so that it is lost with the primary."""
        primary = await self.primary()
        (replica,) = [server for server in self.servers if server is not primary]
        async with replica.client() as client:
            await client.config_set("masteruser", "nobody")
            await client.config_set("masterauth", "nothing")
        async with primary.client() as client:
            await client.client_kill_filter(_type="replica")

    async def failed_over(self, former: RedisServer) -> RedisServer:
        """Wait until another server is the primary, and return it."""
        async with asyncio.timeout(_PATIENCE_S):
            while (primary := await self.primary()) is former:
                await asyncio.sleep(0.05)
        return primary


@asynccontextmanager
async def watched_primary(
    folder: Path,
    *,
    sentinels: int = 1,
    down_after_ms: int = 500,
    options: Mapping[str, str | int] | None = None,
    credentials: str = "",
    binary: str = "",
) -> AsyncIterator[Watched]:
    """Run a primary with a replica, and Sentinels that promote the replica when the primary does not answer.

    Args:
        folder: for data and logs.
        sentinels: how many; a majority of them must agree.
        down_after_ms: how long a server may not answer.
        options: of both servers.
        credentials: for the URL, `user:password@`; servers and Sentinels need none among each other.
        binary: the program of the servers and the Sentinels; empty for the one that is found.
    """
    async with AsyncExitStack() as stack:
        common = {"repl-diskless-sync-delay": 0, "repl-ping-replica-period": 1, **(options or {})}
        primary = RedisServer(folder / "0", common, binary=binary)
        replica = RedisServer(folder / "1", {**common, "replicaof": f"127.0.0.1 {primary.port}"}, binary=binary)
        for server in (primary, replica):
            stack.push_async_callback(server.kill)
            await server.start()
        await _replicates(replica)
        lines = [
            f"sentinel monitor {MASTER} 127.0.0.1 {primary.port} {sentinels // 2 + 1}",
            f"sentinel down-after-milliseconds {MASTER} {down_after_ms}",
            f"sentinel failover-timeout {MASTER} 2000",
        ]
        config = "\n".join(lines)
        watching = [RedisServer(folder / f"sentinel{number}", sentinel=config, binary=binary) for number in range(sentinels)]
        for sentinel in watching:
            stack.push_async_callback(sentinel.kill)
            await sentinel.start()
        await _know_each_other(watching, sentinels - 1)
        yield Watched([primary, replica], watching, credentials)


async def _replicates(replica: RedisServer) -> None:
    client = replica.client()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            while (await client.info("replication")).get("master_link_status") != "up":
                await asyncio.sleep(0.02)
    finally:
        await client.aclose()


async def _know_each_other(sentinels: Sequence[RedisServer], others: int) -> None:
    """Wait until each Sentinel knows the replica and the other Sentinels."""
    for sentinel in sentinels:
        client = sentinel.client()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while True:
                    state: Any = (await client.sentinel_masters())[MASTER]
                    if state["num-slaves"] >= 1 and state["num-other-sentinels"] >= others:
                        break
                    await asyncio.sleep(0.05)
        finally:
            await client.aclose()


class Cluster:
    """A Cluster.

    Args:
        servers: its nodes: the primaries, then the replicas of the first ones.
        primaries: how many primaries.
    """

    def __init__(self, servers: Sequence[RedisServer], primaries: int) -> None:
        self.servers = list(servers)
        self.primaries = primaries
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in servers)

    async def owner_of(self, key: str) -> RedisServer:
        """Return the node that has a key, as a node that answers says."""
        for server in self.servers:
            client = server.client()
            try:
                slot = await client.execute_command("CLUSTER KEYSLOT", key)
                ranges = await client.execute_command("CLUSTER SLOTS")
            except (RedisError, OSError):
                continue
            finally:
                await client.aclose()
            port = next(nodes[0][1] for first, last, *nodes in ranges if first <= slot <= last)
            return next(each for each in self.servers if each.port == port)
        raise AssertionError("no node answers")


@asynccontextmanager
async def cluster(folder: Path, *, primaries: int = 3, replicas: int = 0, node_timeout_ms: int = 1000) -> AsyncIterator[Cluster]:
    """Run a Cluster that has every slot.

    Args:
        folder: for data and logs.
        primaries: how many, three at least.
        replicas: how many of them, from the first on, have a replica that takes over.
        node_timeout_ms: how long a node may not answer before the others fail over.
    """
    options: dict[str, str | int] = {
        "cluster-enabled": "yes",
        "cluster-node-timeout": node_timeout_ms,
        "cluster-require-full-coverage": "no",
        "repl-diskless-sync-delay": 0,
    }
    count = primaries + replicas
    servers = [RedisServer(folder / str(number), options) for number in range(count)]
    for server in servers:
        # Its other port is 10,000 above by default, which may not be a port.
        server.options["cluster-port"] = RedisServer(server.folder).port
    async with AsyncExitStack() as stack:
        for server in servers:
            stack.push_async_callback(server.kill)
        await asyncio.gather(*(server.start() for server in servers))
        clients = [await stack.enter_async_context(server.client()) for server in servers]
        for number, client in enumerate(clients[:primaries]):
            first, after = number * _SLOTS // primaries, (number + 1) * _SLOTS // primaries
            await client.execute_command("CLUSTER ADDSLOTSRANGE", first, after - 1)
            await client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for server in servers[1:]:
            await clients[0].execute_command("CLUSTER MEET", "127.0.0.1", server.port, server.options["cluster-port"])
        await _agree(clients, count)
        for primary, replica in zip(clients, clients[primaries:], strict=False):
            await replica.execute_command("CLUSTER REPLICATE", await primary.execute_command("CLUSTER MYID"))
        for server in servers[primaries:]:
            await _replicates(server)
        yield Cluster(servers, primaries)


async def _agree(clients: Sequence[Any], count: int) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        for client in clients:
            while True:
                info = await client.execute_command("CLUSTER INFO")
                if info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == count:
                    break
                await asyncio.sleep(0.05)
