"""Connections to Redis, and what is wrong with one.

Every client of a process is made here, so that all of them reconnect alike. A server that refuses because of what it is now (a
replica after a failover, for example) is left at once: behind its name there may be another one already.
"""

from __future__ import annotations

import asyncio
import errno
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection
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
from oddsengine.streams.clients.cluster import ClusterClient, open_cluster_client
from oddsengine.streams.clients.pool import RecoveringPool
from oddsengine.streams.clients.repairing import RepairingClient
from oddsengine.streams.clients.sentinel import SentinelClient, open_sentinel_client
from oddsengine.streams.clients.url import parse_redis_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

    from oddsengine.streams.clients.url import RedisAddress

_T = TypeVar("_T")
#: Longer than the longest blocking read. A connection that is silent for so long is dead: others are tried soon after.
SOCKET_TIMEOUT_S: Final = 1.0
#: How many connections a client has at most, of each node of a Cluster: commands wait for a free one.
MAX_CONNECTIONS: Final = 4
#: How many more read the streams of the shards; in a Cluster it is one for each hash tag.
SHARED_READS: Final = 4
#: Those, and one each for the logs of commands and of identities, or of a gateway for commands and the answers of engines.
_WAITING_READS: Final = SHARED_READS + 2
#: The connection is closed after these, and the command sent once more on a new one.
_RECONNECT_AFTER: Final = (RedisConnectionError, ReadOnlyError, MasterDownError, ClusterDownError)
#: This process's Redis: one for all of its connections.
REDIS_OUTAGE: Final = Outage("redis unavailable", "redis available again")
#: Causes that do not pass: the user or password is wrong.
DENIED: Final = frozenset({"NOAUTH", "WRONGPASS", "NOPERM"})
#: What a script is told of a command that its user may not call, or a key that it may not use: an ERR like any other.
_REFUSED_IN_SCRIPT: Final = "The user executing the script can't"
#: A blocked read is ended with this when the server becomes a replica; what the next command gets says that.
CHANGING: Final = "UNBLOCKED"
#: What `cause_of` names a reply that did not arrive in time.
TIMEOUT: Final = "TIMEOUT"
#: OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
_OTHER_NAMES: Final = frozenset({62, 64})
#: How redis-py names a connection that the server has closed.
_CLOSED: Final = ("Error while reading from", "Error while writing to", "Connection closed by server")
_WANTS_TLS: Final = (
    "A server that closes connections at once wants TLS (rediss:// in redis.url) "
    "or a certificate (redis.tls_cert and redis.tls_key)"
)
#: A client can only wait and retry after these.
UNAVAILABLE: Final = (RedisError, OSError)


def open_client(url: str, timeout_s: float = SOCKET_TIMEOUT_S) -> Redis:
    """Return a client that returns bytes, for all that a process does with a Redis. It connects when it is first used.

    Its commands have one key, or several that share a hash tag; what must be atomic is a script: so they work in a Cluster too.

    Args:
        url: of the server, the Sentinels or the Cluster.
        timeout_s: for connecting, for each reply, and for a free connection.

    Raises:
        ValueError: if the URL is not valid.
        OSError: if a file of it can't be used.
    """
    address = parse_redis_url(url)
    arguments = {
        **address.options,
        "username": address.username,
        "password": address.password,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
    }
    if address.tls:
        check_files(address)
    if address.topology == "cluster":
        return open_cluster_client(address, MAX_CONNECTIONS, arguments)
    arguments["retry"] = Retry(NoBackoff(), 1, _RECONNECT_AFTER)
    if address.topology == "sentinel":
        return open_sentinel_client(address, MAX_CONNECTIONS + _WAITING_READS, timeout_s, arguments)
    arguments |= {"db": address.db, "max_connections": MAX_CONNECTIONS + _WAITING_READS, "timeout": timeout_s}
    if address.topology == "socket":
        return RepairingClient.from_pool(
            RecoveringPool(connection_class=UnixDomainSocketConnection, path=address.path, **arguments)
        )
    ((host, port),) = address.nodes
    kind = SSLConnection if address.tls else Connection
    return RepairingClient.from_pool(RecoveringPool(connection_class=kind, host=host, port=port, **arguments))


def check_files(address: RedisAddress) -> None:
    """Check that the certificates of an address can be loaded.

    Raises:
        OSError: naming the file that can't.
    """
    options = address.options
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    files = [options[name] for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile") if name in options]
    for file in files:
        Path(file).read_bytes()
    try:
        if "ssl_ca_certs" in options:
            context.load_verify_locations(options["ssl_ca_certs"])
        if "ssl_certfile" in options:
            context.load_cert_chain(options["ssl_certfile"], options.get("ssl_keyfile"), options.get("ssl_password", ""))
    except ssl.SSLError as error:
        raise OSError(errno.EINVAL, f"no certificate, or not with its key ({error.reason})", ", ".join(files)) from error


async def infos_of(redis: Redis, *sections: str) -> list[dict[str, Any]]:
    """Return what the server, or each primary of a Cluster, says of itself."""
    if isinstance(redis, ClusterClient):
        return await redis.infos(*sections)
    parts = [await redis.info(section) for section in sections]
    return [{name: value for part in parts for name, value in part.items()}]


async def reconnect(redis: Redis) -> None:
    """Close a client's connections, each when nothing uses it any more: the name may lead to another server by now."""
    if isinstance(redis, ClusterClient):
        await redis.reconnect()
        return
    pool: Any = redis.connection_pool
    await pool.close_idle()
    await pool.update_active_connections_for_reconnect()


async def keep_on_primary(redis: Redis) -> None:
    """Leave a server as soon as Sentinels name another one, until cancelled. No-op for other clients."""
    if isinstance(redis, SentinelClient):
        await redis.keep_on_primary()


def cause_of(error: BaseException) -> str:
    """Return the name of an error: Redis's own (`OOM`, `NOAUTH`, `READONLY`, ..), `TIMEOUT`, or `UNREACHABLE`."""
    # What fails while a connection is being made is the cause of another error.
    inner: BaseException | None = error
    while inner is not None:
        if _REFUSED_IN_SCRIPT in str(inner):
            return "NOPERM"
        code = getattr(inner, "status_code", None)
        if isinstance(code, str) and code.isupper():
            return code
        inner = inner.__cause__
    if isinstance(error, RedisTimeoutError | TimeoutError):
        return TIMEOUT
    if isinstance(error, RedisConnectionError | OSError):
        return "UNREACHABLE"
    first = str(error).partition(" ")[0]
    return first if first.isalpha() and first.isupper() else type(error).__name__


def text_of(error: BaseException) -> str:
    """Return the text of an error, and what to do about one of TLS, of which some event loops say nothing."""
    text = str(error) or type(error).__name__
    inner = error.__cause__ or error.__context__
    if isinstance(inner, ssl.SSLCertVerificationError):
        if getattr(inner, "verify_code", 0) in _OTHER_NAMES:
            return f"{text} Its certificate is for other names: redis.url needs one of those"
        return f"{text} Its certificate is not trusted: redis.tls_ca names the authority"
    return text


def text_at_start(error: BaseException) -> str:
    """Return the text of an error of a connection that has never worked."""
    text = text_of(error)
    return f"{text.rstrip('. ')}. {_WANTS_TLS}" if text.startswith(_CLOSED) else text


def mismatch_of(error: BaseException) -> str:
    """Return what is wrong with the scheme of the URL if that is the cause of an error, else an empty text."""
    text = str(error)
    if "Cluster mode is not enabled" in text:
        return "it is no Redis Cluster, or its user may not call CLUSTER SLOTS: write redis://host:port for a single server"
    if "unknown command 'SENTINEL'" in text:
        return "it is no Redis Sentinel: write redis://host:port for a single server"
    return ""


def note_outage(user: str, error: BaseException) -> None:
    """Log that Redis has failed a user, if that is news."""
    if (cause := cause_of(error)) != CHANGING:
        REDIS_OUTAGE.failed(user, cause, error=text_of(error))


async def until_answered(user: str, action: Callable[[], Awaitable[_T]], retry_s: float = 0.1) -> _T:
    """Repeat an action until Redis has answered, and return its result. May be cancelled.

    Args:
        user: who needs it, in the log of the outage.
        action: what to do; may be done again.
        retry_s: how long to wait after each failure.
    """
    while True:
        try:
            result = await action()
        except UNAVAILABLE as error:
            note_outage(user, error)
            await asyncio.sleep(retry_s)
        else:
            REDIS_OUTAGE.worked(user)
            return result
