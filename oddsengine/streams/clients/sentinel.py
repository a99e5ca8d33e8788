"""The client of a primary that Sentinels watch: every connection leads to the server that they name, if it confirms that."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import structlog
from redis.asyncio import Sentinel
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    MasterNotFoundError,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    NoPermissionError,
    RedisError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from oddsengine.streams.clients.pool import RecoveringPool
from oddsengine.streams.clients.repairing import RepairingClient

if TYPE_CHECKING:
    from oddsengine.streams.clients.url import RedisAddress

#: A Sentinel that does not answer within this is passed over.
_SENTINEL_TIMEOUT_S: Final = 0.5
#: How often Sentinels are asked whether the primary is another one by now.
_WATCH_S: Final = 0.5
_log = structlog.get_logger(__name__)


class _PrimaryConnection(SentinelManagedConnection):
    """A connection to a server that reports itself as a primary.

    Sentinels name a demoted one until they have noticed, and a restarted one until they have demoted it (Redis documentation,
    "Guidelines for Redis clients with support for Redis Sentinel", step 3).
    """

    async def connect_to(self, address: tuple[str, int]) -> None:
        await super().connect_to(address)  # type: ignore[no-untyped-call]
        await self.send_command("ROLE")
        try:
            role = await self.read_response()
        except NoPermissionError:
            return
        if role[0] not in {b"master", "master"}:
            await self.disconnect()
            raise RedisConnectionError(f"{address[0]}:{address[1]} is no primary any more")


class _PrimarySSLConnection(_PrimaryConnection, SentinelManagedSSLConnection):
    pass


class _PrimaryPool(SentinelConnectionPool, RecoveringPool):
    """A bounded pool of connections to a primary. To ask all Sentinels takes long where one of them is away."""

    limits_connecting = False


class Sentinels(Sentinel):
    """The Sentinels of a primary. All of them are asked: one that is cut off from the others names a former primary."""

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Return the address of the primary by the newest configuration of any Sentinel.

        Raises:
            MasterNotFoundError: if none names one, or the one that is named is down.
        """
        replies: list[Any] = await asyncio.gather(*(each.sentinel_masters() for each in self.sentinels), return_exceptions=True)
        states = [reply[service_name] for reply in replies if isinstance(reply, dict) and service_name in reply]
        newest = max((state["config-epoch"] for state in states), default=0)
        for state in states:
            if state["config-epoch"] == newest and self.check_master_state(state, service_name):
                return state["ip"], state["port"]
        errors = [reply for reply in replies if isinstance(reply, BaseException)]
        for error in errors:
            if not isinstance(error, RedisConnectionError | RedisTimeoutError | OSError):
                raise error  # it is no Sentinel
        kinds = sorted({type(error).__name__ for error in errors})
        hint = "; set sentinel_password" if "AuthenticationError" in kinds else ""
        reasons = f" ({', '.join(kinds)}{hint})" if kinds else ""
        raise MasterNotFoundError(
            f"{'the primary is down' if states else 'no Sentinel names a primary'}: {service_name!r}{reasons}"
        )


class SentinelClient(RepairingClient):
    """The client of a primary that Sentinels watch. Closing it closes its connections to them too."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001 - redis-py's own signature
        """Close all connections."""
        await super().aclose(close_connection_pool)
        await self._pool.sentinel_manager.aclose()

    async def keep_on_primary(self) -> None:
        """Leave the primary as soon as Sentinels name another one, until cancelled.

        A primary that Sentinels can't reach any more, but this process can, accepts writes that are lost when it is demoted.
        """
        current: Any = None
        while True:
            await asyncio.sleep(_WATCH_S)
            try:
                named = await self._pool.get_master_address()
            except (RedisError, OSError):
                continue  # commands fail as well, and report it
            if current not in {None, named}:
                _log.warning("redis primary changed", primary=f"{named[0]}:{named[1]}")
                await self._leave()
            current = named

    async def _leave(self) -> None:
        """Close all connections, each when nothing uses it any more.

        The pool closes idle ones as soon as a new connection learns of the new primary. Those that were in use at that moment may
        be idle by now.
        """
        await self._pool.update_active_connections_for_reconnect()
        with suppress(RedisError, OSError):
            await self._pool.close_idle()

    @property
    def _pool(self) -> Any:
        return self.connection_pool


def open_sentinel_client(
    address: RedisAddress, max_connections: int, timeout_s: float, arguments: dict[str, Any]
) -> SentinelClient:
    """Return a client of the primary that an address names.

    Args:
        address: of the Sentinels.
        max_connections: how many connections the client may have; commands wait for a free one.
        timeout_s: for that, too.
        arguments: of each connection to the primary.
    """
    options = dict(arguments)
    encryption = {name: value for name, value in options.items() if name.startswith("ssl")}
    to_sentinels = {
        "username": options.pop("sentinel_username", None),
        "password": options.pop("sentinel_password", None),
        "socket_timeout": min(timeout_s, _SENTINEL_TIMEOUT_S),
        "socket_connect_timeout": min(timeout_s, _SENTINEL_TIMEOUT_S),
        # The client's own retries take ten times as long.
        "retry": Retry(NoBackoff(), 0),
        "ssl": address.tls,
        **encryption,
    }
    sentinel = Sentinels(address.nodes, sentinel_kwargs=to_sentinels)  # type: ignore[no-untyped-call]
    client: SentinelClient = sentinel.master_for(
        address.master,
        redis_class=SentinelClient,
        connection_pool_class=_PrimaryPool,
        connection_class=_PrimarySSLConnection if address.tls else _PrimaryConnection,
        max_connections=max_connections,
        timeout=timeout_s,
        db=address.db,
        **options,
    )
    return client
