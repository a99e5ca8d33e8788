"""One PostgreSQL for the tests of a process, with a database for each test."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg

from oddsengine.history.database import Database
from oddsengine.history.embedded.server import EmbeddedPostgres
from oddsengine.history.schema.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEMPLATE = "migrated"


@contextmanager
def postgres_in_thread() -> Iterator[EmbeddedPostgres]:
    """Run a server in a thread of its own, so that no test's event loop owns it."""
    found: list[EmbeddedPostgres] = []
    failed: list[BaseException] = []
    started, stopping = threading.Event(), threading.Event()

    async def run() -> None:
        try:
            async with EmbeddedPostgres() as server:
                await _make_template(server)
                found.append(server)
                started.set()
                await asyncio.to_thread(stopping.wait)
        except BaseException as error:
            failed.append(error)
            raise
        finally:
            started.set()

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    started.wait()
    if failed:
        raise failed[0]
    try:
        yield found[0]
    finally:
        stopping.set()
        thread.join()


async def _make_template(server: EmbeddedPostgres) -> None:
    await _execute(server, f"CREATE DATABASE {_TEMPLATE}")
    await migrate(lambda: asyncpg.connect(server.url_of(_TEMPLATE)))


async def _execute(server: EmbeddedPostgres, statement: str) -> None:
    connection: Any = await asyncpg.connect(server.url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


class SharedPostgres:
    """The server that the tests of a process share. It is started by the first one."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._server: EmbeddedPostgres | None = None
        self._databases = 0

    async def new_database(self, *, is_empty: bool = False) -> Database:
        """Return a database that no other test uses, with the tables of the history unless it is to be empty."""
        if self._server is None:
            self._server = self._stack.enter_context(postgres_in_thread())
        self._databases += 1
        name = f"test{self._databases}"
        template = "template0" if is_empty else _TEMPLATE
        await _execute(self._server, f"CREATE DATABASE {name} TEMPLATE {template}")
        return Database(self._server.url_of(name))

    async def new_user(self, name: str, password: str) -> str:
        """Add a user who has to show a password, and may do everything. Return the path of the server's socket."""
        assert self._server is not None
        await _execute(self._server, f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{password}'")
        connection: Any = await asyncpg.connect(self._server.url)
        try:
            rules = Path(await connection.fetchval("SHOW hba_file"))
            rules.write_text(f"local all {name} scram-sha-256\n{rules.read_text()}")
            await connection.execute("SELECT pg_reload_conf()")
            return (
                f"{await connection.fetchval('SHOW unix_socket_directories')}/.s.PGSQL.{await connection.fetchval('SHOW port')}"
            )
        finally:
            await connection.close()

    def close(self) -> None:
        """Stop the server. No-op if it was never started."""
        self._server = None
        self._stack.close()


shared_postgres = SharedPostgres()
