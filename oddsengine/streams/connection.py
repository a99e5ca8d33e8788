"""Connections to Redis, and what is wrong with one.

Every client of a process is made here, so that all of them reconnect alike. A server that refuses because of what it is now (a
replica after a failover, for example) is left at once: behind its name there may be another one already.
"""

from __future__ import annotations

from typing import Final

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from oddsengine.common.reporting.outages import Outage

#: Longer than the longest blocking read, shorter than the silence after which a shard is stale.
SOCKET_TIMEOUT_S: Final = 2.0
#: The connection is closed after these, and the command sent once more on a new one.
_RECONNECT_AFTER: Final = (RedisConnectionError, ReadOnlyError, MasterDownError, ClusterDownError)
#: This process's Redis: one for all of its connections.
REDIS_OUTAGE: Final = Outage("redis unavailable", "redis available again")
#: Causes that do not pass: the user or password is wrong.
DENIED: Final = frozenset({"NOAUTH", "WRONGPASS", "NOPERM"})
#: A blocked read is ended with this when the server becomes a replica; what the next command gets says that.
_CHANGING: Final = "UNBLOCKED"
#: A client can only wait and retry after these.
UNAVAILABLE: Final = (RedisError, OSError)


def open_client(url: str, timeout_s: float = SOCKET_TIMEOUT_S) -> Redis:
    """Return a client that returns bytes. It connects when it is first used.

    Args:
        url: of the server.
        timeout_s: for connecting, and for each reply.

    Raises:
        ValueError: if the URL is not valid.
    """
    return Redis.from_url(
        url,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 1, _RECONNECT_AFTER),
    )


def cause_of(error: BaseException) -> str:
    """Return the name of an error: Redis's own (`OOM`, `NOAUTH`, `READONLY`, ..), `TIMEOUT`, or `UNREACHABLE`."""
    # What fails while a connection is being made is the cause of another error.
    inner: BaseException | None = error
    while inner is not None:
        code = getattr(inner, "status_code", None)
        if isinstance(code, str) and code.isupper():
            return code
        inner = inner.__cause__
    if isinstance(error, RedisTimeoutError | TimeoutError):
        return "TIMEOUT"
    if isinstance(error, RedisConnectionError | OSError):
        return "UNREACHABLE"
    first = str(error).partition(" ")[0]
    return first if first.isalpha() and first.isupper() else type(error).__name__


def note_outage(user: str, error: BaseException) -> None:
    """Log that Redis has failed a user, if that is news."""
    if (cause := cause_of(error)) != _CHANGING:
        REDIS_OUTAGE.failed(user, cause, error=str(error) or type(error).__name__)
