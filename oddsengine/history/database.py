"""Connections to the database of the history."""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import asyncpg

from oddsengine.common.redaction import SECRETS
from oddsengine.common.settings.secret_keys import read_secret_key
from oddsengine.history.errors import OtherHistory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from oddsengine.history.settings import HistorySettings

#: What fails where the server, the way to it or its disk does. It is tried again, on another connection: what is left of one that
#: broke in the middle of an answer may also say that it is busy, by an `InternalClientError`.
UNREACHABLE: Final = (
    *(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError),
    *(OSError, asyncio.TimeoutError),
)
#: What does not pass: the user, the password or the database is wrong.
DENIED: Final = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
_CONNECT_TIMEOUT_S: Final = 10.0


class Database:
    """A database that connections are opened to.

    Args:
        url: its URL.
        password: the password, if the URL has none.
        tls: what TLS is checked with; None for what the URL says.
        settings: those that another process opens it with; None if the URL is enough.
    """

    def __init__(
        self, url: str, password: str = "", tls: ssl.SSLContext | None = None, settings: HistorySettings | None = None
    ) -> None:
        self.url = url
        self._settings = settings
        self._options: dict[str, Any] = {"timeout": _CONNECT_TIMEOUT_S, "server_settings": {"application_name": "oddsengine"}}
        if password:
            self._options["password"] = password
        if tls is not None:
            self._options["ssl"] = tls

    def __reduce__(self) -> tuple[Any, ...]:
        """Reopen it in another process, which has the same environment and files."""
        return (Database, (self.url,)) if self._settings is None else (open_database, (self._settings, self.url))

    @property
    def label(self) -> str:
        """The name of the database, for logs: without user and password."""
        parts = urlsplit(self.url)
        return f"{parts.hostname or 'local'}{parts.path}"

    async def connect(self) -> Any:
        """Open a connection. Raises one of `UNREACHABLE` if that fails."""
        return await asyncpg.connect(self.url, **self._options)

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """Return the rows of a query, on a connection of its own."""
        connection = await self.connect()
        try:
            return list(await connection.fetch(query, *args))
        finally:
            await connection.close()

    async def execute(self, statement: str, *args: Any) -> str:
        """Execute a statement on a connection of its own. Return its status, as `DELETE 1`."""
        connection = await self.connect()
        try:
            return str(await connection.execute(statement, *args))
        finally:
            await connection.close()

    async def create_pool(self, size: int, **session: str) -> Any:
        """Open a pool of connections, with settings of the server for their sessions."""
        options = {**self._options, "server_settings": {**self._options["server_settings"], **session}}
        return await asyncpg.create_pool(self.url, min_size=0, max_size=size, **options)


def open_database(settings: HistorySettings, url: str = "", environment: Mapping[str, str] = os.environ) -> Database:
    """Return the database that the settings name. No log line or error contains its password.

    Args:
        settings: the section of the configuration.
        url: the URL of the embedded server, where it is that.
        environment: the environment variables.

    Raises:
        ValueError: if a password or a file is missing or malformed.
    """
    try:
        password = read_secret_key(settings, "password", environment) or unquote(urlsplit(settings.url).password or "")
    except ValueError as error:
        raise ValueError(f"history.{error}") from None
    tls = None
    try:
        if settings.tls_ca or settings.tls_cert:
            tls = ssl.create_default_context(cafile=settings.tls_ca or None)
            if settings.tls_cert:
                tls.load_cert_chain(settings.tls_cert, settings.tls_key)
    except OSError as error:
        raise ValueError(f"history.tls_ca: {error.strerror or error}") from None
    if password:
        SECRETS.add(password)
    return Database(url or settings.url, password, tls, settings)


@contextmanager
def aborted_after(connection: Any, seconds: float) -> Iterator[None]:
    """Abort a connection if what is done on it takes too long: what waits for it raises one of `UNREACHABLE`.

    A server, or the way to it, may be gone without a word, and nothing else would end the wait: the driver has no keep-alive. To
    cancel what waits is not enough, since it then waits for the server's answer to that.
    """
    timer = asyncio.get_running_loop().call_later(seconds, connection.terminate)
    try:
        yield
    finally:
        timer.cancel()


async def claim_installation(connection: Any, namespace: str, shards: int, now_ms: int) -> None:
    """Note whose history this is.

    Raises:
        OtherHistory: if it is that of another installation.
    """
    await connection.execute(
        "INSERT INTO installation (namespace, shards, created_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        namespace,
        shards,
        now_ms,
    )
    row = await connection.fetchrow("SELECT namespace, shards FROM installation")
    if (row["namespace"], row["shards"]) != (namespace, shards):
        raise OtherHistory((row["namespace"], row["shards"]), (namespace, shards))
