"""`oddsengine history ..`: their options and their help."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from oddsengine.cli.support import ConfigOption, fail, read_settings
from oddsengine.runtime.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from oddsengine.history.database import Database
    from oddsengine.runtime.settings import Settings

# The commands import their modules when they are called: `--help` and the other commands start faster without.
# ruff: noqa: PLC0415

_T = TypeVar("_T")
history = typer.Typer(name="history", help="What was published: migrate, verify, hold and forget.", no_args_is_help=True)


def with_database(settings: Settings, action: Callable[[Database], Coroutine[Any, Any, _T]]) -> _T:
    """Return what an action on the history of a config returns. An embedded server is started for it.

    What can fail because of something outside the program ends the command with one line.
    """
    from oddsengine.history.errors import HistoryError
    from oddsengine.runtime.archiving.database import check_installed

    if not settings.history.url:
        raise typer.BadParameter("history.url is empty: the config has no history", param_hint="--config")
    if settings.history.is_embedded and not settings.history.directory:
        raise typer.BadParameter("history.directory is empty: this history ends with its process", param_hint="--config")
    configure_logging("warning")
    try:
        check_installed()
        from oddsengine.history.database import UNREACHABLE
        from oddsengine.history.opening import opened_database

        async def act() -> _T:
            async with opened_database(settings.history) as database:
                return await action(database)

        try:
            return asyncio.run(act())
        except UNREACHABLE as error:
            fail(error)
    except (HistoryError, ValueError) as error:
        fail(error)


@history.command()
def migrate(
    config: ConfigOption = None,
    to: Annotated[str, typer.Option(help="A revision; 'head': the newest, 'base': none, which deletes the history.")] = "head",
) -> None:
    """Migrate the tables of the history to those of this release, or to others."""

    async def act(database: Database) -> tuple[str, str]:
        from oddsengine.history.schema.migrations import migrate as migrate_to

        return await migrate_to(database.connect, to)

    before, after = with_database(read_settings(config), act)
    typer.echo(f"schema {before or 'none'} -> {after or 'none'}" if before != after else f"schema {after or 'none'}, as before")
