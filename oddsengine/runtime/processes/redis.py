"""Connecting to Redis at the start of every role: waits until it answers, then identifies it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from oddsengine.common.reporting.outages import Outage
from oddsengine.common.tasks import end_tasks
from oddsengine.engine.ownership.shard_writer import HEARTBEAT_S
from oddsengine.runtime.processes.startup import Step
from oddsengine.streams.connection import DENIED, UNAVAILABLE, cause_of, mismatch_of, open_client, text_at_start, text_of
from oddsengine.streams.embedded import EmbeddedRedis
from oddsengine.streams.errors import UnsuitableRedis
from oddsengine.streams.installation import identify
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.snapshots.stored import read_top

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from redis.asyncio import Redis

    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.settings import Settings

_OWNER_WATCH_S: Final = 2.5 * HEARTBEAT_S
_RETRY_S: Final = 0.2
#: The connection has failed, or nothing was answered in time.
_AWAY: Final = (RedisConnectionError, RedisTimeoutError, OSError)


@asynccontextmanager
async def provide_redis(settings: Settings, startup: Startup) -> AsyncIterator[tuple[str, EmbeddedRedis | None]]:
    """Connect to the configured Redis and identify it. If none is configured, run an embedded one.

    Args:
        settings: the configuration.
        startup: its steps are CONNECT and IDENTIFY meanwhile.

    Yields:
        The URL, and the embedded server if there is one.

    Raises:
        StartFailed: if the server can't be used.
        Stopped: if the process is asked to stop.
    """
    if settings.redis.is_given:
        url = redis_url_of(settings, startup)
        await reach_redis(settings, url, startup)
        yield url, None
        return
    async with AsyncExitStack() as stack:
        with startup.doing(Step.CONNECT):
            embedded = await stack.enter_async_context(EmbeddedRedis())
        group = await stack.enter_async_context(asyncio.TaskGroup())
        keeping = group.create_task(embedded.keep_running(), name="redis")
        try:
            await reach_redis(settings, embedded.url, startup)
            yield embedded.url, embedded
        finally:
            await end_tasks([keeping])


def redis_url_of(settings: Settings, startup: Startup) -> str:
    """Return the URL of the configured Redis. Raises StartFailed if its variable or its file is missing."""
    with startup.doing(Step.SECRETS):
        try:
            return settings.redis.full_url
        except ValueError as error:
            raise ValueError(f"redis.{error}") from None


async def reach_redis(settings: Settings, url: str, startup: Startup) -> None:
    """Wait until a server answers, then identify it. See `provide_redis`."""
    with startup.doing(Step.CONNECT):
        redis = open_client(url)
    try:
        await identified(redis, startup, lambda: identify(redis, settings.redis.namespace, settings.engine.shards))
    finally:
        await redis.aclose()


async def identified(
    redis: Redis, startup: Startup, identifying: Callable[[], Coroutine[Any, Any, None]], advice: str = ""
) -> None:
    """Wait until a server answers, and identify it; again if it is away by then.

    Args:
        redis: a client of it.
        startup: its steps are CONNECT and IDENTIFY meanwhile.
        identifying: identifies it.
        advice: what to do if it can't be used; empty for the step's general advice.

    Raises:
        StartFailed: if the server can't be used.
        Stopped: if the process is asked to stop.
    """
    outage = Outage("redis unreachable, waiting", "redis reached")
    while True:
        with startup.doing(Step.CONNECT):
            await startup.unless_stopped(_wait_answering(redis, startup, outage))
        with startup.doing(Step.IDENTIFY, advice):
            try:
                await startup.unless_stopped(identifying())
            except _AWAY as error:
                if (cause := cause_of(error)) in DENIED:
                    raise
                outage.failed("identify", cause, error=text_of(error))
                await startup.unless_stopped(asyncio.sleep(_RETRY_S))
            else:
                outage.worked("identify")
                return


async def require_no_owner(settings: Settings, startup: Startup, *, watch_s: float = _OWNER_WATCH_S) -> None:
    """Check that no engine publishes to the configured Redis and namespace.

    Args:
        settings: the configuration. Without a Redis there is nothing to check.
        startup: its steps are CONNECT and IDENTIFY meanwhile.
        watch_s: how long the streams are watched: some heartbeats of an idle engine.

    Raises:
        StartFailed: if one does.
        Stopped: if the process is asked to stop.
    """
    if not settings.redis.is_given:
        return
    url = redis_url_of(settings, startup)
    await reach_redis(settings, url, startup)
    redis = open_client(url)

    async def watch() -> None:
        streams = [shard_keys(settings.redis.namespace, shard).changes for shard in range(settings.engine.shards)]
        before = [await read_top(redis, stream) for stream in streams]
        await asyncio.sleep(watch_s)
        if before != [await read_top(redis, stream) for stream in streams]:
            raise ValueError(f"an engine publishes in the namespace {settings.redis.namespace}, which this would take over")

    try:
        await identified(redis, startup, watch, "give it a redis.namespace of its own, or leave redis.url empty")
    finally:
        await redis.aclose()


async def _wait_answering(redis: Redis, startup: Startup, outage: Outage) -> None:
    startup.waiting_for = "Redis"
    while True:
        try:
            await redis.ping()
        except UNAVAILABLE as error:
            if (cause := cause_of(error)) in DENIED:
                raise UnsuitableRedis(f"it refuses the user or the password of redis.url ({cause})") from error
            if mismatch := mismatch_of(error):
                raise UnsuitableRedis(mismatch) from error
            reason = text_at_start(error)
            startup.waiting_for = f"Redis: {reason}"
            outage.failed("start", cause, error=reason)
            await asyncio.sleep(_RETRY_S)
        else:
            outage.worked("start")
            return
