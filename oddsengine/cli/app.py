"""The `oddsengine` command: its subcommands, their options and help; those of roles and traders are in their packages."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path  # noqa: TC003 - typer reads the types of options
from typing import Annotated, Final, Literal

import typer

from feeds.errors import FeedError
from feeds.feed import installed_feeds
from oddsengine import __version__
from oddsengine.cli.gateway_options import CaOption, TokenOption  # noqa: TC001 - typer reads the types of options
from oddsengine.cli.history.commands import history
from oddsengine.cli.repricing.commands import reprice
from oddsengine.cli.roles.commands import archiver, bridge, engine, feeder, gateway, run
from oddsengine.cli.support import ConfigOption, fail, parse_speed, parse_times, read_settings, run_role, with_address
from oddsengine.cli.trading.commands import command, commands, lift, override, suspend
from oddsengine.domain.ladders import LADDERS
from oddsengine.pricing import METHODS
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.pricing.profiles.rules import MarketContext
from oddsengine.runtime.telemetry.logs import configure_logging

app = typer.Typer(
    name="oddsengine",
    help="Real-time odds streaming engine: provider feeds in, priced markets out to any number of subscribers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

#: Nearly ten years: further apart, one of the dates is mistyped.
_MAX_MINUTES_APART: Final = 5_000_000

# The commands import their modules when they are called: `--help` and the other commands start faster without.
# ruff: noqa: PLC0415

for each in (run, feeder, engine, gateway, archiver, suspend, lift, override, command, commands, reprice):
    app.command()(each)
app.add_typer(bridge, name="bridge")
app.add_typer(history, name="history")


@app.command()
def replay(  # noqa: PLR0913 - each is an option of the command line
    files: Annotated[
        list[Path], typer.Argument(help="Recordings: files (plain, .gz, .bz2, .xz), folders or tar archives.", exists=True)
    ],
    config: ConfigOption = None,
    adapter: Annotated[str, typer.Option(help="The adapter of recordings that do not name theirs.")] = "betfair",
    speed: Annotated[
        str | None, typer.Option(help="A multiple of real time, or 'max'. Default: 1 with --serve, else max.")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the replay to subscribers, as `run` does.")] = False,
    port: Annotated[int | None, typer.Option(help="With --serve: listen on this port instead of the config's.")] = None,
    dump_at: Annotated[
        str | None,
        typer.Option(help="Print the source book of every market at these publish times (ms, comma-separated) as JSON lines."),
    ] = None,
    published: Annotated[
        Path | None, typer.Option(help="Write the batches to be published to this file, one a line; the same at any speed.")
    ] = None,
    commands_file: Annotated[
        Path | None,
        typer.Option(
            "--commands", help="Obey these commands at their times: JSON lines, as `oddsengine commands URL --all` prints them."
        ),
    ] = None,
) -> None:
    """Replay recordings through the real adapters and the pipeline, merged by time.

    Recordings of `oddsengine record` name their adapter. Pass all parts of one, or its folder.
    """
    from oddsengine.cli.replay import dump_at as dump_books_at
    from oddsengine.cli.replay import replay_and_serve, replay_through, summary
    from oddsengine.runtime.replay_commands import read_commands

    if adapter not in installed_feeds():
        raise typer.BadParameter(f"unknown adapter {adapter!r}; installed: {', '.join(sorted(installed_feeds()))}")
    try:
        if dump_at is not None:
            counts = dump_books_at(files, adapter, parse_times(dump_at))
            typer.echo(f"{counts.messages:,} messages, {counts.rejected:,} rejected", err=True)
            return
        settings = with_address(read_settings(config), port)
        if serve and commands_file is not None:
            raise typer.BadParameter("--commands has no effect with --serve: command what is served instead")
        if serve:
            configure_logging(settings.log.level)
            run_role(lambda startup: replay_and_serve(startup, files, adapter, settings, parse_speed(speed or "1")))
            return
        if speed not in {None, "max"} and published is None:
            raise typer.BadParameter("a --speed other than max has an effect only with --serve or --published: add one of them")
        commands = None if commands_file is None else read_commands(commands_file)
        typer.echo(summary(*replay_through(files, adapter, settings, parse_speed(speed or "max"), published, commands)))
    except (FeedError, OSError, ValueError) as error:
        fail(error)


@app.command()
def record(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files; created if missing.", file_okay=False)],
    config: ConfigOption = None,
    feed: Annotated[list[str] | None, typer.Option(help="Record only this feed of the config; may be repeated.")] = None,
    rotate_mb: Annotated[float, typer.Option(help="Start a new file after this many MB, before compression.", min=0.01)] = 256,
    rotate_min: Annotated[float, typer.Option(help="Start a new file after this many minutes.", min=0.01)] = 60,
) -> None:
    """Record what the config's feeds receive, raw and with receive times, for `replay`."""
    from oddsengine.cli.record import record as record_feeds

    settings = read_settings(config)
    for name in feed or ():
        if name not in settings.feeds:
            known = ", ".join(settings.feeds) or "none"
            raise typer.BadParameter(f"no feed {name!r} in the config; configured: {known}", param_hint="--feed")
    feeds = {name: each for name, each in settings.feeds.items() if feed is None or name in feed}
    if not feeds:
        raise typer.BadParameter("the config has no feeds to record: add a [feeds.<name>] section", param_hint="--config")
    configure_logging(settings.log.level)
    run_role(lambda startup: record_feeds(startup, feeds, out, round(rotate_mb * 1_000_000), rotate_min * 60))


@app.command()
def emulate(
    provider: Annotated[
        str, typer.Argument(help="betfair, theoddsapi, pinnacle, opticodds, oddsapiio or one of another package.")
    ],
    port: Annotated[int, typer.Option(help="Listen on this port; 0: a free port.", min=0, max=65535)] = 0,
    host: Annotated[str, typer.Option(help="Listen on this address.")] = "127.0.0.1",
    events: Annotated[int, typer.Option(help="Number of matches.", min=1, max=5000)] = 40,
    seed: Annotated[int, typer.Option(help="Seed of the matches; providers with the same seed quote the same matches.")] = 1,
) -> None:
    """Emulate a provider on loopback: its real protocol, moving prices, and faults on demand."""
    from feeds.emulators.emulator import EmulatorNotInstalled, load_emulator
    from oddsengine.cli.emulate import emulate as run_emulator

    try:
        plugin = load_emulator(provider)
    except EmulatorNotInstalled as error:
        raise typer.BadParameter(str(error), param_hint="PROVIDER") from None
    configure_logging("warning")
    run_role(lambda startup: run_emulator(startup, provider, plugin, (host, port), events, seed))


@app.command()
def watch(  # noqa: PLR0913 - each is an option of the command line
    url: Annotated[str, typer.Argument(help="A gateway, as localhost:8080, or the full URL of its stream.")],
    channels: Annotated[
        list[str],
        typer.Argument(metavar="CHANNEL...", help="sport:<key>, competition:<id>, event:<id> or market:<id>; several at once."),
    ],
    sports: Annotated[
        list[str] | None, typer.Option("--sport", help="Show only this sport; may be repeated. Default: all.")
    ] = None,
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="Show only markets of this type, as match_odds; may be repeated. Default: all."),
    ] = None,
    state_only: Annotated[
        bool,
        typer.Option("--state-only", help="With --lines or --json: only changes of status, reason and in-play, not of prices."),
    ] = False,
    lines: Annotated[bool, typer.Option("--lines", help="Print a line for each change instead of a table.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print each message as a line of JSON instead of a table.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Print the current state of the channels and exit.")] = False,
    token: TokenOption = None,
    ca: CaOption = None,
) -> None:
    """Show channels as a live table in the terminal, or as lines.

    Whatever is wrong is shown and retried, but for what no retry can change; with --once it ends the command.
    """
    from oddsengine.cli.watching.filters import Filter
    from oddsengine.cli.watching.watch import watch as watch_channels

    if lines and as_json:
        raise typer.BadParameter("can't be combined with --json", param_hint="--lines")
    if state_only and not (lines or as_json):
        raise typer.BadParameter("needs --lines or --json: a table shows prices", param_hint="--state-only")
    shown = Filter(frozenset(sports or ()), frozenset(types or ()), state_only)
    output: Literal["table", "lines", "json"] = "json" if as_json else "lines" if lines else "table"
    with suppress(asyncio.CancelledError):  # SIGINT or SIGTERM
        asyncio.run(watch_channels(url, channels, once=once, shown=shown, output=output, token=token, ca=ca))


@app.command()
def check(
    config: Annotated[Path, typer.Argument(help="TOML config file.", dir_okay=False)],
    connect: Annotated[
        bool,
        typer.Option(
            "--connect",
            help="Also connect to Redis, PostgreSQL and brokers, and fail if anything is missing to run the config here.",
        ),
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(
            help="Also say what a process that runs this file would apply of CONFIG, and what needs a restart.", dir_okay=False
        ),
    ] = None,
) -> None:
    """Check a config file, and whether this machine has what it names. Exit code 0 if it is valid; 2, with every problem, if not.

    Secrets, keys, certificates, addresses and extras that are missing here are warnings, unless --connect is given: then they, or
    a Redis, a PostgreSQL or a broker that can't be used, end with the exit code that a start would end with.
    """
    from oddsengine.cli.check import notes_of, problems_of, warnings_of

    settings = read_settings(config)
    configure_logging("error")
    problems = asyncio.run(problems_of(settings, connect=connect))
    for line in notes_of(settings):
        typer.echo(f"note: {line}", err=True)
    for line in warnings_of(settings):
        typer.echo(f"warning: {line}", err=True)
    if problems and connect:
        fail(*problems, code=problems[0].step.exit_code)
    for problem in problems:
        typer.echo(f"warning: {problem}", err=True)
    typer.echo(
        f"{config}: ok ({len(settings.feeds)} feeds: {', '.join(settings.feeds) or 'none'}; "
        f"{len(settings.profiles)} profiles: {', '.join(settings.profiles)}; {settings.engine.shards} shards)"
    )
    if against is not None:
        from oddsengine.cli.check import reload_lines

        for line in reload_lines(read_settings(against), settings):
            typer.echo(line)


@app.command()
def health(
    url: Annotated[
        list[str] | None, typer.Option(help="Ask this process, as http://127.0.0.1:8080; may be repeated. Default: all.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Ask only the processes that run this file.", dir_okay=False)
    ] = None,
) -> None:
    """Ask the processes of this user on this machine whether they are alive. Exit code 0 if all are, 1 if not.

    Every role is found on whatever port it listens, with or without TLS. With --config, only those that run that file are asked.
    """
    from oddsengine.cli.health import health as ask
    from oddsengine.cli.health import urls_of

    sys.exit(ask([*(url or []), *(urls_of(config, read_settings(config)) if config is not None else [])]))


@app.command()
def match(
    one: Annotated[str, typer.Argument(metavar="EVENT", help="An event as one feed names it: 'Home v Away'.")],
    other: Annotated[str, typer.Argument(metavar="EVENT", help="An event as another feed names it.")],
    sport: Annotated[str, typer.Option(help="The sport of both.")] = "football",
    minutes_apart: Annotated[float, typer.Option(help="How far apart their starts are.")] = 0.0,
    competitions: Annotated[
        tuple[str, str], typer.Option(metavar="A B", help="The names of their competitions; '' where one is unknown.")
    ] = ("", ""),
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Use the [matching] section of this file. Default: its defaults.", dir_okay=False),
    ] = None,
) -> None:
    """Decide whether two events of different feeds are the same, by the matcher that runs, and say why.

    Prints one JSON line: {"decision": "same" | "doubt" | "apart", "score", "swapped", "why"}. An event that two others of a feed
    resemble alike stays a doubt in the engine, whatever each pair's decision.
    """
    from oddsengine.cli.match import match as match_events
    from oddsengine.sourcing.matching.settings import MatchingSettings

    if not abs(minutes_apart) <= _MAX_MINUTES_APART:
        raise typer.BadParameter(
            f"expected at most {_MAX_MINUTES_APART:,} minutes, got {minutes_apart}", param_hint="--minutes-apart"
        )
    settings = MatchingSettings() if config is None else read_settings(config).matching
    answer = match_events((one, other), sport, minutes_apart, competitions, settings)
    typer.echo(json.dumps(answer, ensure_ascii=False))


@app.command()
def price(  # noqa: PLR0913 - each is an option of the command line
    odds: Annotated[list[float], typer.Argument(help="Decimal odds of every outcome, as quoted by a bookmaker.")],
    devig: Annotated[
        str | None,
        typer.Option(help=f"How to remove the margin: {', '.join(METHODS)}. Default: shin, or multiplicative if several win."),
    ] = None,
    margin: Annotated[str | None, typer.Option(help="How to add our margin; the same methods. Default: odds_ratio.")] = None,
    book_sum: Annotated[
        float | None, typer.Option(help="Target sum of our inverse odds: winners x (1 + margin). Default: 1.05 x winners.")
    ] = None,
    winners: Annotated[int, typer.Option(help="Number of outcomes that win.")] = 1,
    ladder: Annotated[
        str | None, typer.Option(help=f"The odds that may be offered: {', '.join(LADDERS)}. Default: betfair.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Price with a profile of this file and its rules.", dir_okay=False)
    ] = None,
    profile: Annotated[str, typer.Option(help="The profile of the file.")] = "default",
    sport: Annotated[str, typer.Option(help="For the rules: the market's sport.")] = "",
    competition: Annotated[str, typer.Option(help="For the rules: its competition.")] = "",
    tier: Annotated[str, typer.Option(help="For the rules: its competition's tier.")] = "",
    market_type: Annotated[str, typer.Option("--type", help="For the rules: its type.")] = "match_odds",
    in_play: Annotated[bool, typer.Option("--in-play", help="For the rules: whether it is in play.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    chart: Annotated[bool, typer.Option("--chart", help="Also draw the probabilities of each step, in the terminal.")] = False,
) -> None:
    """Price a market from quoted odds and show each step."""
    from oddsengine.cli.pricing.chart import print_chart
    from oddsengine.cli.pricing.price import price as price_market
    from oddsengine.cli.pricing.price import print_table, resolve_with

    profiles = read_settings(config).profiles if config is not None else {"default": Profile(method="odds_ratio")}
    if profile not in profiles:
        raise typer.BadParameter(f"unknown profile {profile!r}; known: {', '.join(profiles)}", param_hint="--profile")
    context = MarketContext(sport, competition, tier, market_type, None, "", in_play, None)
    per_winner = None if book_sum is None else book_sum / winners
    try:
        resolved = resolve_with(profiles[profile], context, devig=devig, method=margin, ladder=ladder, book_sum=per_winner)
        result = price_market(odds, resolved, winners)
    except ValueError as error:
        fail(error)
    if as_json:
        typer.echo(json.dumps(result))
    else:
        print_table(result, resolved)
        if chart:
            print_chart(result)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del version
