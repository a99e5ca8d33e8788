"""The client of a Redis Cluster: each command goes to the node that has its key.

Commands take one key, or several that share a hash tag. There are no transactions: what must be atomic is a script.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    NoScriptError,
    RedisClusterException,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from oddsengine.streams.clients.repairing import RepairingClient

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.streams.clients.url import RedisAddress

#: Commands whose first argument is no key.
_WITHOUT_KEY: Final = frozenset(
    {"PING", "INFO", "TIME", "SCRIPT LOAD", "COMMAND", "CLIENT LIST", "CONFIG GET", "ROLE", "ACL WHOAMI"}
)
#: How often all connections are closed to find the nodes again.
_SEARCH_S: Final = 1.0


class ClusterClient(RepairingClient):
    """The client of a Cluster, for commands with a key.

    Args:
        cluster: redis-py's client.
        nodes: those that the configuration names. They are asked where the others are if none that is known answers.
        max_connections: how many commands may run at once on each node; others wait. Blocking reads do not count.
    """

    def __init__(self, cluster: RedisCluster, nodes: Sequence[tuple[str, int]], max_connections: int) -> None:
        super().__init__()  # its pool is never used
        self._cluster = cluster
        self._nodes = list(nodes)
        self._running: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(max_connections))
        self._scripts: dict[str, bytes | str] = {}
        #: the node that failed last, which is asked last for the topology
        self._failed: str | None = None
        self._searched_s = float("-inf")

    async def execute_once(self, *args: Any, **options: Any) -> Any:
        """Execute a command on the node that has its key, or on any if it has none. It is not repeated after an error."""
        cluster = self._cluster
        try:
            await self._find_nodes()
            key = key_of(args)
            if key is None:
                return await cluster.execute_command(*args, **options)
            node = cluster.get_node_from_key(key)
            assert node is not None  # noqa: S101 - only where a replica is asked for
            if args[0] == "XREAD":
                return await cluster.execute_command(*args, target_nodes=node, **options)
            async with self._running[node.name]:
                return await self._execute_on(node, args, options)
        except (RedisConnectionError, RedisTimeoutError) as error:
            self._failed = getattr(error, "last_failed_node_name", None)
            raise
        except RedisClusterException as error:
            # A slot without a node, for example: the others go on meanwhile.
            now_s = asyncio.get_running_loop().time()
            if now_s - self._searched_s > _SEARCH_S:
                self._searched_s = now_s
                await self.reconnect()
            raise RedisConnectionError(str(error)) from error

    async def _find_nodes(self) -> None:
        """Find out which node has which keys, unless that is known."""
        known = self._cluster.nodes_manager.startup_nodes
        others = [(host, port) for host, port in self._nodes if f"{host}:{port}" not in known]
        await self._cluster.initialize(additional_startup_nodes_info=others, last_failed_node_name=self._failed)

    async def _execute_on(self, node: ClusterNode, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        try:
            return await self._cluster.execute_command(*args, target_nodes=node, **options)
        except NoScriptError:
            # The node was promoted, or restarted. EVAL loads the script there too.
            source = self._scripts.get(args[1])
            if source is None:
                raise
            return await self._cluster.execute_command("EVAL", source, *args[2:], target_nodes=node, **options)

    def register_script(self, script: Any) -> Any:
        """Return a script that is loaded on whichever node does not know it."""
        registered = super().register_script(script)
        self._scripts[registered.sha] = script
        return registered

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Any:  # noqa: FBT001, FBT002, ARG002 - redis-py's own signature
        """Return a pipeline, whose commands are sent to their nodes. Raises NotImplementedError for a transaction."""
        if transaction:
            raise NotImplementedError("no transactions in a Cluster: use a script")
        return self._cluster.pipeline()

    async def infos(self, *sections: str) -> list[dict[str, Any]]:
        """Return what each primary says of itself."""
        try:
            await self._find_nodes()
        except RedisClusterException as error:
            raise RedisConnectionError(str(error)) from error
        found = []
        for node in self._cluster.get_primaries():
            parts = [await self._cluster.execute_command("INFO", section, target_nodes=node) for section in sections]
            found.append({name: value for part in parts for name, value in part.items()})
        return found

    async def reconnect(self) -> None:
        """Close all connections, and find the nodes again before the next command."""
        await self._cluster.aclose()

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 - redis-py's own signature
        """Close all connections."""
        await self._cluster.aclose()
        await super().aclose(close_connection_pool)


def key_of(command: tuple[Any, ...]) -> Any:
    """Return the first key of a command, None if it has none."""
    name = command[0]
    if name in {"EVALSHA", "EVAL"}:
        return command[3] if int(command[2]) else None
    if name == "XREAD":
        streams = next(index for index, part in enumerate(command) if part in {b"STREAMS", "STREAMS"})
        return command[streams + 1]
    return None if name in _WITHOUT_KEY or len(command) == 1 else command[1]


def open_cluster_client(address: RedisAddress, max_connections: int, arguments: dict[str, Any]) -> ClusterClient:
    """Return a client of the Cluster that an address names. See `open_sentinel_client`."""
    nodes = [ClusterNode(host, port) for host, port in address.nodes]
    # Some shards go on while the nodes of others fail over.
    cluster = RedisCluster(startup_nodes=nodes, require_full_coverage=False, ssl=address.tls, **arguments)
    return ClusterClient(cluster, address.nodes, max_connections)
