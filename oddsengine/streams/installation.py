"""The identity of a Redis server, and what it holds. Every role identifies it before it serves or owns anything."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog
from redis.exceptions import NoPermissionError, ResponseError

from oddsengine import __version__
from oddsengine.streams.clients.cluster import ClusterClient
from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, infos_of, note_outage
from oddsengine.streams.errors import UnsuitableRedis
from oddsengine.streams.keys import LAYOUT, MAX_TAGS, NAMED_SINCE, installation_key, shard_keys

if TYPE_CHECKING:
    from redis.asyncio import Redis

#: The first server with `XADD .. MINID` is Redis 6.2.
_MIN_VERSION: Final = (6, 2)
_MAX_SHARDS: Final = 256
#: What its user needs beside the keys, as docs/running.md has it.
_GRANTS: Final = "+@read +@write +@scripting +@connection +time +info +role +command"
_CLUSTER_GRANT: Final = " +cluster"
#: How often an engine makes sure that Redis still has the number of shards.
_DECLARE_S: Final = 2.0
_log = structlog.get_logger(__name__)


async def identify(redis: Redis, namespace: str, shards: int) -> None:
    """Check that a server can hold this installation's offer, and log what it is.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        shards: the number of shards of this process.

    Raises:
        UnsuitableRedis: if it can't, with the reason and what to do.
        RedisError, OSError: if it does not answer.
    """
    try:
        infos = await infos_of(redis, "server", "memory", "replication")
    except NoPermissionError:
        _log.warning("redis not identified: its user may not call INFO")
        infos = [{}]
    for info in infos:
        _check_server(redis, info)
    try:
        await redis.time()
    except NoPermissionError as error:
        raise UnsuitableRedis("its user may not call TIME, which every write needs: grant it +time") from error
    await _check_rights(redis, namespace)
    await Installation(redis, namespace, shards).check(look_for_shards=True)
    info = infos[0]
    name = "valkey" if "valkey_version" in info else "redis"
    version = info.get("valkey_version", info.get("redis_version", "unknown"))
    mode = info.get("redis_mode", "unknown")
    _log.info("redis", server=name, version=version, mode=mode, primaries=len(infos), namespace=namespace, shards=shards)


async def _check_rights(redis: Redis, namespace: str) -> None:
    """Raise UnsuitableRedis if the user may not do what every role does. Nothing is changed."""
    key, tagged = installation_key(namespace), shard_keys(namespace, 0).changes
    trials = (("HLEN", key), ("XLEN", tagged), ("HDEL", key, "no such field"), ("EVAL", "return 0", 1, key))
    for trial in trials:
        try:
            await redis.execute_command(*trial)  # type: ignore[no-untyped-call]
        except NoPermissionError as error:
            what = f"{trial[0]} of {tagged if tagged in trial else key}"
            grants = f"~{namespace}:* ~{{{namespace}:* {_GRANTS}{_CLUSTER_GRANT if isinstance(redis, ClusterClient) else ''}"
            raise UnsuitableRedis(f"{error} ({what}): grant its user {grants}") from error
        except ResponseError:
            continue  # a replica, a full memory: those who write report it


def _check_server(redis: Redis, info: dict[str, Any]) -> None:
    """Raise UnsuitableRedis if a server can't hold the offer, and log what may harm it."""
    version, mode = str(info.get("redis_version", "unknown")), info.get("redis_mode")
    policy = info.get("maxmemory_policy", "noeviction")
    if mode == "cluster" and not isinstance(redis, ClusterClient):
        raise UnsuitableRedis("it is a node of a Redis Cluster: write redis+cluster://host:port,host:port")
    if mode == "sentinel":
        raise UnsuitableRedis("it is a Redis Sentinel: write redis+sentinel://host:port,host:port/master/0")
    if version[:1].isdigit() and tuple(int(part) for part in version.split(".")[:2]) < _MIN_VERSION:
        raise UnsuitableRedis(f"its version is {version}: use 6.2 or newer")
    if policy != "noeviction":
        _log.warning(
            "redis may evict keys, and with them what is on offer: set maxmemory-policy to noeviction",
            policy=policy,
            maxmemory=info.get("maxmemory"),
            server_port=info.get("tcp_port"),
        )
    if info.get("role") == "slave":
        _log.warning("redis is a replica, nothing can be written to it")


class Installation:
    """The facts on which all processes of an installation must agree. They are kept in Redis.

    A process with another number of shards would look for events where they are not published.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        shards: the number of shards of this process.
    """

    def __init__(self, redis: Redis, namespace: str, shards: int) -> None:
        self._redis = redis
        self._namespace = namespace
        self._shards = shards
        self._key = installation_key(namespace)

    async def check(self, *, look_for_shards: bool = False) -> None:
        """Check that what is published, if anything is, has as many shards as this process.

        Args:
            look_for_shards: where Redis has lost their number, count them.

        Raises:
            UnsuitableRedis: if it has not.
        """
        fields: Any = await self._redis.hmget(self._key, ["shards", "layout"])
        stored, layout = fields
        published = int(stored) if stored is not None and stored.isdigit() else 0
        if not published and look_for_shards:
            published = await self._count()
        if published and published != self._shards:
            raise UnsuitableRedis(
                f"namespace {self._namespace!r} is published in {published} shards, but this process has "
                f"engine.shards = {self._shards}: set the same number everywhere, or another redis.namespace for another number"
            )
        known = int(layout) if layout is not None and layout.isdigit() else 0
        if published and known > LAYOUT:
            raise UnsuitableRedis(
                f"namespace {self._namespace!r} is published by a newer release, in layout {known}: this one knows {LAYOUT}. "
                "Upgrade it, or set another redis.namespace"
            )
        if published > MAX_TAGS and known < NAMED_SINCE:
            raise UnsuitableRedis(
                f"namespace {self._namespace!r} was published by a release that named the keys of more than {MAX_TAGS} shards "
                "otherwise: stop what still runs of it, and set another redis.namespace"
            )

    async def declare(self) -> None:
        """Write the number of shards, unless another one is there, and the version of this program.

        Raises:
            UnsuitableRedis: if another number is there.
        """
        if not await self._redis.hlen(self._key):
            await self._redis.hsetnx(self._key, "layout", str(LAYOUT))
        await self._redis.hsetnx(self._key, "shards", str(self._shards))
        await self.check()
        # Gateways of an earlier release can't read what is published from now on.
        await self._redis.hset(self._key, mapping={"version": __version__, "layout": str(LAYOUT)})

    async def keep_declared(self) -> None:
        """Declare it periodically until cancelled, in case Redis loses it."""
        with REDIS_OUTAGE.used_by("installation"):
            while True:
                await asyncio.sleep(_DECLARE_S)
                try:
                    await self.declare()
                except UNAVAILABLE as error:
                    note_outage("installation", error)
                else:
                    REDIS_OUTAGE.worked("installation")

    async def _count(self) -> int:
        """Return how many shards have anything: one more than the highest one."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for shard in range(_MAX_SHARDS):
                # Not `exists`, which a Cluster's pipeline does not take with several keys.
                pipe.execute_command("EXISTS", *shard_keys(self._namespace, shard))
            found = await pipe.execute()
        return max((shard + 1 for shard, keys in enumerate(found) if keys), default=0)
