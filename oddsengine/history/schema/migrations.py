"""Migrates the tables of the history forward and back, and checks that they are those of this release."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from oddsengine.history.errors import HistoryError, SchemaMismatch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Connection

#: What `--to` calls the newest and the empty schema.
NEWEST: Final = "head"
EMPTY: Final = "base"
#: Held until the transaction ends. The number is ours, and means nothing.
_LOCK: Final = "SELECT pg_advisory_xact_lock(7210340955812476022)"


def newest_revision() -> str:
    """Return the revision of the tables that this release works with."""
    return str(_scripts().get_current_head() or "")


async def find_revision(connect: Callable[[], Awaitable[Any]]) -> str:
    """Return the revision of the tables that a database has, empty if it has none.

    Args:
        connect: opens an asyncpg connection.
    """
    return str(await _run(connect, _found))


async def check_schema(connect: Callable[[], Awaitable[Any]]) -> None:
    """Check that a database has the tables of this release.

    Raises:
        SchemaMismatch: if it has not.
    """
    found, newest = await find_revision(connect), newest_revision()
    if found != newest:
        raise SchemaMismatch(found, newest, is_newer=bool(found) and not _is_known(found))


async def migrate(connect: Callable[[], Awaitable[Any]], to: str = NEWEST) -> tuple[str, str]:
    """Migrate the tables of a database, in one transaction. Return the revisions before and after.

    Of several that are asked to do it at once, as by processes that start together, one does it after the other.

    Args:
        connect: opens an asyncpg connection.
        to: a revision, "head" for the newest, or "base" for none: then everything is deleted.

    Raises:
        SchemaMismatch: if a newer release has made them.
        HistoryError: if there is no such revision.
    """
    scripts = _scripts()
    known = [each.revision for each in scripts.walk_revisions()][::-1]
    if to not in {NEWEST, EMPTY, *known}:
        raise HistoryError(f"there is no revision {to!r} of the history; known: {EMPTY}, {', '.join(known)}, {NEWEST}")
    target = newest_revision() if to == NEWEST else "" if to == EMPTY else to
    place = {"": 0, **{revision: number for number, revision in enumerate(known, 1)}}

    def change(connection: Connection) -> str:
        connection.execute(text(_LOCK))
        before = _found(connection)
        if before not in place:
            raise SchemaMismatch(before, newest_revision(), is_newer=True)
        if target == before:
            return before

        def steps(current: Any, _context: Any) -> Any:
            if place[target] < place[before]:
                return scripts._downgrade_revs(target or EMPTY, current)  # noqa: SLF001 - as alembic's own command does
            return scripts._upgrade_revs(target or EMPTY, current)  # noqa: SLF001 - the same

        with EnvironmentContext(Config(), scripts, fn=steps, destination_rev=target or None) as environment:
            environment.configure(connection=connection)
            with environment.begin_transaction():
                environment.run_migrations()
        return before

    return str(await _run(connect, change)), target


def _scripts() -> ScriptDirectory:
    folder = str(files("oddsengine.history.schema"))
    return ScriptDirectory(folder, version_locations=[f"{folder}/versions"])


def _is_known(revision: str) -> bool:
    try:
        return _scripts().get_revision(revision) is not None
    except CommandError:
        return False


def _found(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""


async def _run(connect: Callable[[], Awaitable[Any]], action: Callable[[Connection], Any]) -> Any:
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(action)
    finally:
        await engine.dispose()
