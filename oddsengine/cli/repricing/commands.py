"""`oddsengine reprice`: its options and their help."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the types of options
from typing import TYPE_CHECKING, Annotated

import typer

from feeds.errors import FeedError
from feeds.feed import installed_feeds
from oddsengine.cli.history.commands import with_database
from oddsengine.cli.support import fail, read_settings, time_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.history.database import Database
    from oddsengine.repricing.report import Report
    from oddsengine.runtime.settings import Settings

# The commands import their modules when they are called: `--help` and the other commands start faster without.
# ruff: noqa: PLC0415


def reprice(  # noqa: PLR0913 - each is an option of the command line
    recordings: Annotated[
        list[Path],
        typer.Argument(help="Recordings of that time: files (plain, .gz, .bz2, .xz), folders or tar archives.", exists=True),
    ],
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The new config. Its history is what is compared with.", dir_okay=False)
    ],
    since: Annotated[
        str | None,
        typer.Option("--from", help="Compare from this time on, as 2026-11-26 or RFC 3339. Default: where recordings begin."),
    ] = None,
    until: Annotated[str | None, typer.Option("--to", help="Compare up to this time. Default: where recordings end.")] = None,
    against: Annotated[
        Path | None,
        typer.Option(help="Compare with what this config would have published, not with the history.", dir_okay=False),
    ] = None,
    profile: Annotated[
        list[str] | None, typer.Option(help="Compare this profile only; may be repeated. Default: all of the new config.")
    ] = None,
    adapter: Annotated[str, typer.Option(help="The adapter of recordings that do not name theirs.")] = "betfair",
    commands_file: Annotated[
        Path | None,
        typer.Option(
            "--commands",
            help="Obey these commands at their times: JSON lines, as `oddsengine commands URL --all` prints them. "
            "Default: those of the history.",
        ),
    ] = None,
    as_json: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--json", help="Print JSON instead of tables.")
    ] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Also write a plot to this file: .png, .svg or .pdf. Needs matplotlib.", dir_okay=False)
    ] = None,
) -> None:
    """Reprice recordings by another config, and compare with what was published.

    By profile and market type, at the same moments: margins, prices, suspensions with their reasons, changes, and the share of
    equal stakes that is kept where results are known. The same input prints the same bytes.
    """
    from oddsengine.cli.repricing.compare import compare_with_history, compare_with_settings
    from oddsengine.cli.repricing.plot import require_matplotlib, write_plot
    from oddsengine.cli.repricing.table import print_tables, to_json
    from oddsengine.runtime.repricing.reprice import Plan

    settings = read_settings(config)
    since_ms, until_ms = time_option(since, "--from"), time_option(until, "--to")
    _check(settings, (since_ms, until_ms), profile or (), adapter, has_other_config=against is not None)
    try:
        if plot is not None:
            require_matplotlib(plot)
        plan = Plan(settings, profile or list(settings.profiles), since_ms, until_ms, adapter, commands_file)
        if against is not None:
            report = compare_with_settings(recordings, plan, read_settings(against))
        else:
            stale_ms = round(settings.gateway.stale_suspend_after_s * 1000)

            async def act(database: Database) -> Report:
                from oddsengine.runtime.repricing.archived_offer import ArchivedOffer

                archived = ArchivedOffer(database, since_ms or 0, until_ms or 0, stale_ms)
                return await compare_with_history(recordings, plan, archived)

            report = with_database(settings, act)
        if plot is not None:
            write_plot(report, plot)
    except (FeedError, OSError, ValueError) as error:
        fail(error)
    if as_json:
        typer.echo(to_json(report))
    else:
        print_tables(report)


def _check(
    settings: Settings, period: tuple[int | None, int | None], profiles: Sequence[str], adapter: str, *, has_other_config: bool
) -> None:
    """Raise BadParameter if options do not fit together or to the new config."""
    since_ms, until_ms = period
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise typer.BadParameter("is not before --to", param_hint="--from")
    if adapter not in installed_feeds():
        raise typer.BadParameter(f"unknown adapter {adapter!r}; installed: {', '.join(sorted(installed_feeds()))}")
    for profile in profiles:
        if profile not in settings.profiles:
            known = ", ".join(settings.profiles)
            raise typer.BadParameter(f"no profile {profile!r} in the config; configured: {known}", param_hint="--profile")
    if has_other_config:
        return
    if not settings.history.url:
        raise typer.BadParameter("is needed: the config has no history to compare with", param_hint="--against")
    if since_ms is None or until_ms is None:
        missing = "--from" if since_ms is None else "--to"
        raise typer.BadParameter("is needed to compare with the history", param_hint=missing)
