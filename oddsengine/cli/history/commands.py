"""`oddsengine history ..`: their options and their help."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from oddsengine.cli.history.explain import explain
from oddsengine.cli.history.questions import changes, commands, price
from oddsengine.cli.support import ConfigOption, fail, read_settings, time_option
from oddsengine.common.clock import CLOCK
from oddsengine.runtime.loop import new_runner
from oddsengine.runtime.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from oddsengine.history.database import Database
    from oddsengine.runtime.settings import Settings

# The commands import their modules when they are called: `--help` and the other commands start faster without.
# ruff: noqa: PLC0415

_T = TypeVar("_T")
history = typer.Typer(name="history", help="Ask about what was published; migrate, verify, export it.", no_args_is_help=True)
for question in (price, changes, explain, commands):
    history.command()(question)


def with_database(
    settings: Settings, action: Callable[[Database], Coroutine[Any, Any, _T]], *, is_of_any_release: bool = False
) -> _T:
    """Return what an action on the history of a config returns. An embedded server is started for it.

    What can fail because of something outside the program ends the command with one line.

    Args:
        settings: the configuration.
        action: is called with the database.
        is_of_any_release: whether the tables may be those of another release, or missing.
    """
    from oddsengine.history.errors import HistoryError
    from oddsengine.runtime.archiving.database import check_installed

    if not settings.history.url:
        raise typer.BadParameter("history.url is empty: the config has no history", param_hint="--config")
    if settings.history.is_embedded and not settings.history.directory:
        text = "history.directory is empty, so this history ends with its process: set it there and here, or history.url"
        raise typer.BadParameter(text, param_hint="--config")
    configure_logging("warning")
    try:
        check_installed()
        from oddsengine.history.database import UNREACHABLE
        from oddsengine.history.opening import opened_database
        from oddsengine.history.schema.migrations import check_schema

        async def act() -> _T:
            async with opened_database(settings.history) as database:
                if not is_of_any_release:
                    await check_schema(database.connect)
                return await action(database)

        try:
            with new_runner() as runner:
                return runner.run(act())
        except UNREACHABLE as error:
            fail(error)
    except (HistoryError, ValueError) as error:
        fail(error)


def parse_period(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    """Return the times of --from and --to in Unix milliseconds, None where there is none. Refuse those that enclose no time."""
    first_ms, last_ms = time_option(since, "--from"), time_option(until, "--to")
    if first_ms is not None and last_ms is not None and first_ms > last_ms:
        raise typer.BadParameter("--from must not be later than --to", param_hint="--from")
    return first_ms, last_ms


@history.command()
def migrate(
    config: ConfigOption = None,
    to: Annotated[str, typer.Option(help="A revision; 'head': the newest, 'base': none, which deletes the history.")] = "head",
    yes: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--yes", help="Do not ask before the history is deleted, as a terminal is asked.")
    ] = False,
) -> None:
    """Migrate the tables of the history to those of this release, or to others."""
    if to == "base" and not yes and sys.stdin.isatty():
        typer.confirm("This deletes the whole history. Delete it?", abort=True)

    async def act(database: Database) -> tuple[str, str]:
        from oddsengine.history.schema.migrations import migrate as migrate_to

        return await migrate_to(database.connect, to)

    before, after = with_database(read_settings(config), act, is_of_any_release=True)
    typer.echo(f"schema {before or 'none'} -> {after or 'none'}" if before != after else f"schema {after or 'none'}, as before")


@history.command()
def keygen(
    file: Annotated[Path, typer.Argument(help="The file of the private key; the public one is written beside it, as FILE.pub.")],
) -> None:
    """Make a key that signs checkpoints: history.checkpoint_key names its file. Keep FILE.pub elsewhere, to verify with."""
    from oddsengine.history.verification.checkpoints import generate_key

    try:
        public = generate_key(file)
    except OSError as error:
        fail(error)
    typer.echo(f"{file}: private key\n{public}: public key")


@history.command()
def verify(
    config: ConfigOption = None,
    since: Annotated[str | None, typer.Option("--from", help="Verify from this time on, as 2026-11-26 or RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Verify up to this time.")] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option(help="A file with a key that may have signed; may be repeated. Default: history.checkpoint_key."),
    ] = None,
) -> None:
    """Recompute the chains of the history, and name the first row of each that was changed, removed or added.

    Exit code 0 if there is none, 1 otherwise. Without --to the ends of the chains are verified too.
    """
    from oddsengine.cli.history.verify import verify_history

    settings = read_settings(config)
    files = key or ([Path(settings.history.checkpoint_key)] if settings.history.checkpoint_key else [])

    period = parse_period(since, until)

    async def act(database: Database) -> bool:
        return await verify_history(database, files, *period)

    if not with_database(settings, act):
        raise typer.Exit(1)


@history.command()
def export(
    out: Annotated[Path, typer.Option(help="The folder: each day and sport is a file, as 2026-11-26/football.parquet.")],
    config: ConfigOption = None,
    since: Annotated[str | None, typer.Option("--from", help="Export from this time on, as 2026-11-26 or RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Export what was before this time.")] = None,
    sport: Annotated[str | None, typer.Option(help="Only this sport, as football.")] = None,
) -> None:
    """Export every published price of a time as Parquet. Files of the same days and sports are replaced."""
    from oddsengine.cli.history.export import export_history

    first_ms, last_ms = parse_period(since, until)
    period = (0 if first_ms is None else first_ms, CLOCK.wall_ms() + 1 if last_ms is None else last_ms)
    with_database(read_settings(config), lambda database: export_history(database, out, period, sport))


@history.command()
def hold(
    event: Annotated[str, typer.Argument(help="The id of an event, as betfair.29283412.")],
    config: ConfigOption = None,
    reason: Annotated[str, typer.Option(help="Why, for other people.")] = "",
) -> None:
    """Keep every day on which an event was on offer, whatever history.keep_days says, until it is released."""
    query = (
        "INSERT INTO holds (event, at_ms, reason) VALUES ($1, $2, $3) ON CONFLICT (event) DO UPDATE SET reason = excluded.reason"
    )

    async def act(database: Database) -> bool:
        from oddsengine.history.rows.tables import RecordKind, key_of

        await database.execute(query, event, CLOCK.wall_ms(), reason)
        known = "SELECT 1 FROM records WHERE key = $1 AND kind = $2 LIMIT 1"
        return bool(await database.fetch(known, key_of(event), RecordKind.EVENT))

    is_known = with_database(read_settings(config), act)
    typer.echo(f"{event}: held")
    if not is_known:
        typer.echo("warning: the history has nothing of this event yet: is its id right?", err=True)


@history.command()
def release(event: Annotated[str, typer.Argument(help="The id of a held event.")], config: ConfigOption = None) -> None:
    """Release an event that was held: its days are dropped when they are too old."""
    status = with_database(read_settings(config), lambda database: database.execute("DELETE FROM holds WHERE event = $1", event))
    if not status.endswith(" 1"):
        fail(ValueError(f"{event}: is not held"))
    typer.echo(f"{event}: released")


@history.command()
def holds(config: ConfigOption = None) -> None:
    """List the events that are held, a line each."""
    query = "SELECT event, at_ms, reason FROM holds ORDER BY at_ms"
    for row in with_database(read_settings(config), lambda database: database.fetch(query)):
        at = datetime.fromtimestamp(row["at_ms"] / 1000, UTC)
        typer.echo(f"{row['event']}  since {at:%Y-%m-%d %H:%M}  {row['reason']}")


@history.command()
def forget(
    author: Annotated[str, typer.Option(help="The subject of the person's tokens, as it is in the history.")],
    config: ConfigOption = None,
) -> None:
    """Replace a person in the history of commands by a pseudonym. Who it was can't be told afterwards; chains stay whole."""

    async def act(database: Database) -> tuple[str, int]:
        from oddsengine.history.forgetting import forget_author

        return await forget_author(database, author)

    pseudonym, entries = with_database(read_settings(config), act)
    if not entries:
        fail(ValueError(f"{author}: is in no command of the history"))
    typer.echo(f"{pseudonym} in {entries:,} entries")
