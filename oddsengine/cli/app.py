"""The `oddsengine` command."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from feeds.errors import FeedError
from feeds.feed import installed_feeds
from oddsengine import __version__
from oddsengine.domain.ladders import LADDERS
from oddsengine.gateway.access.authentication import UnusableKey
from oddsengine.pricing import METHODS
from oddsengine.pricing.profiles.profile import Profile, resolve
from oddsengine.pricing.profiles.rules import MarketContext
from oddsengine.runtime.loop import new_runner
from oddsengine.runtime.settings import ConfigError, Settings, demo_config, load_settings
from oddsengine.runtime.telemetry.logs import configure_logging
from oddsengine.streams.errors import StreamError

if TYPE_CHECKING:
    from collections.abc import Coroutine

app = typer.Typer(
    name="oddsengine",
    help="Real-time odds streaming engine: provider feeds in, priced markets out to any number of subscribers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command; expected errors end with one clear line and exit code 1 or 2, not with a traceback."""
    try:
        app()
    except ConfigError as error:
        for problem in error.problems:
            typer.echo(f"error: {problem}", err=True)
        sys.exit(2)


def _read_settings(config: Path | None) -> Settings:
    adapters = {name: plugin.config_type for name, plugin in installed_feeds().items()}
    return load_settings(config or demo_config(), adapters)


def _run_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end; our own errors become one line each and exit code 1."""
    errors: list[BaseException] = []
    try:
        with new_runner() as runner:
            runner.run(work)
    except* (StreamError, FeedError, UnusableKey, OSError) as group:
        errors = _leaves(group)
    # Not inside `except*`: it would wrap the exit into a group, and print that with its traceback.
    if errors:
        for error in errors:
            typer.echo(f"error: {error}", err=True)
        sys.exit(1)


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    return [leaf for error in group.exceptions for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])]


ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML config file; without one, the demo's.", dir_okay=False)
]


@app.command()
def run(
    config: ConfigOption = None,
    port: Annotated[int | None, typer.Option(help="Listen on this port instead of the config's.")] = None,
    host: Annotated[str | None, typer.Option(help="Listen on this address instead of the config's.")] = None,
    record_to: Annotated[
        Path | None, typer.Option("--record", help="Also record what the feeds receive to this folder.", file_okay=False)
    ] = None,
) -> None:
    """Run feeds, engine and gateway in one process (with an embedded Redis unless the config gives a URL)."""
    from oddsengine.cli.run import run as run_service  # noqa: PLC0415

    path = (config or demo_config()).absolute()
    settings = _listening(_read_settings(path), port, host)
    configure_logging(settings.log.level)
    _run_loop(run_service(settings, path, lambda changed: _listening(_read_settings(changed), port, host), record_to))


@app.command()
def engine(
    config: ConfigOption = None,
    port: Annotated[int, typer.Option(help="Serve /healthz, /metrics and explanations on this port; 0: a free one.")] = 0,
) -> None:
    """Run feeds and engine only: own the shards and publish to the config's Redis."""
    from oddsengine.cli.engine import engine as publish  # noqa: PLC0415

    path = (config or demo_config()).absolute()
    settings = _with_redis(_read_settings(path), "engine")
    configure_logging(settings.log.level)
    _run_loop(publish(settings, path, _read_settings, port))


@app.command()
def gateway(
    config: ConfigOption = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the port; default: the config's.", min=1)] = None,
    port: Annotated[int | None, typer.Option(help="Listen on this port instead of the config's.")] = None,
    host: Annotated[str | None, typer.Option(help="Listen on this address instead of the config's.")] = None,
    share_port: Annotated[bool, typer.Option("--share-port", hidden=True)] = False,
) -> None:
    """Run gateways only: follow the config's Redis and serve subscribers."""
    from oddsengine.cli import gateway as serving  # noqa: PLC0415

    path = (config or demo_config()).absolute()
    settings = _with_redis(_listening(_read_settings(path), port, host), "gateway")
    configure_logging(settings.log.level)
    count = workers or settings.gateway.workers
    if count == 1:
        _run_loop(serving.gateway(settings, reuse_port=share_port))
    else:
        arguments = ["gateway", "--config", str(path), "--host", settings.gateway.host]
        _run_loop(serving.gateway_workers(count, settings.gateway.host, settings.gateway.port, arguments))


def _with_redis(settings: Settings, role: str) -> Settings:
    if not settings.redis.url:
        text = f"redis.url is empty: {role} and the other processes need a Redis that all of them reach"
        raise typer.BadParameter(text, param_hint="--config")
    return settings


@app.command()
def replay(
    files: Annotated[
        list[Path], typer.Argument(help="Recordings: files (plain, .gz, .bz2, .xz), folders, tar archives.", exists=True)
    ],
    config: ConfigOption = None,
    adapter: Annotated[str, typer.Option(help="Whose recordings they are, if they do not say so.")] = "betfair",
    speed: Annotated[str | None, typer.Option(help="Times real time, or 'max'. Default: 1 with --serve, else max.")] = None,
    serve: Annotated[bool, typer.Option("--serve", help="Serve the replay to subscribers, as `run` does.")] = False,
    port: Annotated[int | None, typer.Option(help="With --serve, listen on this port instead of the config's.")] = None,
    dump_at: Annotated[
        str | None,
        typer.Option(help="Print each market's source book as of these publish times (ms, comma-separated) as JSON lines."),
    ] = None,
    published: Annotated[
        Path | None, typer.Option(help="Write what would be published to this file, a batch a line; the same at any speed.")
    ] = None,
) -> None:
    """Take recordings through the real adapter and pipeline, several merged by time.

    Those of `oddsengine record` say whose they are; give all parts of one, or its folder.
    """
    from oddsengine.cli import replay as replaying  # noqa: PLC0415 - other commands start faster without

    if adapter not in installed_feeds():
        raise typer.BadParameter(f"no adapter {adapter!r}; installed are {', '.join(sorted(installed_feeds()))}")
    try:
        if dump_at is not None:
            counts = replaying.dump_at(files, adapter, _times(dump_at))
            typer.echo(f"{counts.messages:,} messages, {counts.rejected:,} rejected", err=True)
            return
        settings = _listening(_read_settings(config), port)
        if serve:
            configure_logging(settings.log.level)
            _run_loop(replaying.replay_and_serve(files, adapter, settings, _speed(speed or "1")))
            return
        if speed not in {None, "max"} and published is None:
            text = "a --speed other than max needs --serve or --published: otherwise there is nobody to wait for"
            raise typer.BadParameter(text)
        pace = _speed(speed or "max")
        counts, pipeline, seconds = replaying.replay_through(files, adapter, settings, pace, published)
    except FeedError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    open_now = sum(market.state.status == "open" for offer in pipeline.offers for market in offer.markets.values())
    typer.echo(
        f"{counts.messages:,} messages ({counts.rejected:,} rejected) in {seconds:.2f} s, "
        f"{counts.messages / max(seconds, 1e-9):,.0f}/s\n"
        f"{counts.changes:,} market changes in {counts.batches:,} stream batches of {counts.bytes:,} bytes\n"
        f"{sum(len(offer.markets) for offer in pipeline.offers):,} markets on offer at the end, {open_now:,} open"
    )


@app.command()
def record(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the files; made if it is not there.", file_okay=False)],
    config: ConfigOption = None,
    feed: Annotated[list[str] | None, typer.Option(help="Only this feed of the config; may be repeated.")] = None,
    rotate_mb: Annotated[float, typer.Option(help="Begin another file after so many MB, before compression.", min=0.01)] = 256,
    rotate_min: Annotated[float, typer.Option(help="Begin another file after so many minutes.", min=0.01)] = 60,
) -> None:
    """Record what the config's feeds receive, raw and with receive times, for `replay`."""
    from oddsengine.cli.record import record as record_feeds  # noqa: PLC0415 - other commands start faster without

    settings = _read_settings(config)
    for name in feed or ():
        if name not in settings.feeds:
            known = ", ".join(settings.feeds) or "none"
            raise typer.BadParameter(f"no feed {name!r} in the config; there are {known}", param_hint="--feed")
    feeds = {name: each for name, each in settings.feeds.items() if feed is None or name in feed}
    if not feeds:
        raise typer.BadParameter("the config has no feeds to record", param_hint="--config")
    configure_logging(settings.log.level)
    _run_loop(record_feeds(feeds, out, round(rotate_mb * 1_000_000), rotate_min * 60))


@app.command()
def emulate(
    provider: Annotated[str, typer.Argument(help="betfair, theoddsapi, pinnacle, opticodds, oddsapiio, or an installed one.")],
    port: Annotated[int, typer.Option(help="Listen on this port; 0: a free one.", min=0, max=65535)] = 0,
    host: Annotated[str, typer.Option(help="Listen on this address.")] = "127.0.0.1",
    events: Annotated[int, typer.Option(help="How many matches.", min=1, max=5000)] = 40,
    seed: Annotated[int, typer.Option(help="Of the matches; two providers of one seed quote the same ones.")] = 1,
) -> None:
    """Emulate a provider on loopback: its real protocol, prices that move, and misbehaviour on demand."""
    from feeds.emulators.emulator import EmulatorNotInstalled, load_emulator  # noqa: PLC0415 - other commands start faster without
    from oddsengine.cli.emulate import emulate as run_emulator  # noqa: PLC0415

    try:
        plugin = load_emulator(provider)
    except EmulatorNotInstalled as error:
        raise typer.BadParameter(str(error), param_hint="PROVIDER") from None
    configure_logging("warning")
    _run_loop(run_emulator(provider, plugin, host, port, events, seed))


@app.command()
def watch(
    url: Annotated[str, typer.Argument(help="A gateway: localhost:8080, or the stream's full URL.")],
    channel: Annotated[str, typer.Argument(help="sport:<key>, competition:<id>, event:<id> or market:<id>.")],
    once: Annotated[bool, typer.Option("--once", help="Print the channel as it stands and exit.")] = False,
    token: Annotated[str | None, typer.Option(envvar="ODDSENGINE_TOKEN", help="Access token, where one is needed.")] = None,
) -> None:
    """Show a channel as a live table in the terminal."""
    from oddsengine.cli.watch import watch as watch_channel  # noqa: PLC0415 - other commands start faster without

    try:
        asyncio.run(watch_channel(url, channel, once=once, token=token))
    except asyncio.CancelledError:
        pass  # told to stop
    except ValueError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


@app.command()
def check(config: Annotated[Path, typer.Argument(help="TOML config file.", dir_okay=False)]) -> None:
    """Check a config file: exit code 0 if it can be used, 2 with every problem named if not."""
    settings = _read_settings(config)
    typer.echo(
        f"{config}: ok ({len(settings.feeds)} feeds: {', '.join(settings.feeds) or 'none'}; "
        f"{len(settings.profiles)} profiles: {', '.join(settings.profiles)}; {settings.engine.shards} shards)"
    )


@app.command()
def price(  # noqa: PLR0913 - each is an option of the command line
    odds: Annotated[list[float], typer.Argument(help="Decimal odds of every outcome, as a bookmaker quotes them.")],
    devig: Annotated[str | None, typer.Option(help=f"How to remove the margin: {', '.join(METHODS)}. [default: shin]")] = None,
    margin: Annotated[str | None, typer.Option(help="How to put ours on; the same methods. [default: odds_ratio]")] = None,
    book_sum: Annotated[
        float | None, typer.Option(help="The sum of our inverse odds: winners x (1 + margin). [default: 1.05 x winners]")
    ] = None,
    winners: Annotated[int, typer.Option(help="How many outcomes win.")] = 1,
    ladder: Annotated[str | None, typer.Option(help=f"Where prices may stand: {', '.join(LADDERS)}. [default: betfair]")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Price by a profile of this file and its rules.", dir_okay=False)
    ] = None,
    profile: Annotated[str, typer.Option(help="Which profile of the file.")] = "default",
    sport: Annotated[str, typer.Option(help="For the rules: the market's sport.")] = "",
    competition: Annotated[str, typer.Option(help="For the rules: its competition.")] = "",
    tier: Annotated[str, typer.Option(help="For the rules: its competition's tier.")] = "",
    market_type: Annotated[str, typer.Option("--type", help="For the rules: its type.")] = "match_odds",
    in_play: Annotated[bool, typer.Option("--in-play", help="For the rules: it is in play.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Price a market from quoted odds and show each step."""
    from oddsengine.cli import price as pricing  # noqa: PLC0415 - other commands start faster without

    profiles = _read_settings(config).profiles if config is not None else {"default": Profile(method="odds_ratio")}
    if profile not in profiles:
        raise typer.BadParameter(f"no profile {profile!r}; there are {', '.join(profiles)}", param_hint="--profile")
    context = MarketContext(sport, competition, tier, market_type, None, "", in_play, None)
    resolved = resolve(profiles[profile], context)
    given = {"devig": devig, "method": margin, "ladder": ladder, "book_sum": None if book_sum is None else book_sum / winners}
    asked = {name: value for name, value in given.items() if value is not None}
    try:
        settings = msgspec.structs.replace(resolved.settings, rules=(), **asked)
        resolved = resolved._replace(settings=settings)
        result = pricing.price(odds, resolved, winners)
    except ValueError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    if as_json:
        typer.echo(json.dumps(result))
    else:
        pricing.show(result, resolved)


def _listening(settings: Settings, port: int | None, host: str | None = None) -> Settings:
    """Put the port and address of the command line over the config's."""
    given = {name: value for name, value in (("port", port), ("host", host)) if value is not None}
    return msgspec.structs.replace(settings, gateway=msgspec.structs.replace(settings.gateway, **given))


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise typer.BadParameter(f"a number over 0, or 'max', not {text!r}", param_hint="--speed")
    return speed


def _times(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"publish times in Unix milliseconds with commas between, not {text!r}", param_hint="--dump-at"
        ) from None


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    del version
