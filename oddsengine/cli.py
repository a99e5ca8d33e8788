"""The `oddsengine` command."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import aiofastnet
import typer
import uvloop

from feeds.errors import FeedError
from feeds.feed import installed_feeds
from oddsengine import __version__
from oddsengine.settings import ConfigError, Settings, demo_config, load_settings
from oddsengine.streams.errors import StreamError
from oddsengine.telemetry.logs import configure_logging

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
    """Run in uvloop with aiofastnet's transports; our own errors become one line each and exit code 1."""
    try:
        with asyncio.Runner(loop_factory=aiofastnet.loop_factory(uvloop.new_event_loop)) as runner:
            runner.run(work)
    except* (StreamError, FeedError, OSError) as group:
        for error in _leaves(group):
            typer.echo(f"error: {error}", err=True)
        sys.exit(1)


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    return [
        leaf
        for error in group.exceptions
        for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]


ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML config file; without one, the demo's.", dir_okay=False)
]


@app.command()
def run(
    config: ConfigOption = None,
    port: Annotated[int | None, typer.Option(help="Listen on this port instead of the config's.")] = None,
) -> None:
    """Run feeds, engine and gateway in one process (with an embedded Redis unless the config gives a URL)."""
    import msgspec  # noqa: PLC0415 - other commands start faster without

    from oddsengine.commands.run import run as run_service  # noqa: PLC0415

    settings = _read_settings(config)
    if port is not None:
        settings = msgspec.structs.replace(settings, gateway=msgspec.structs.replace(settings.gateway, port=port))
    configure_logging(settings.log.level)
    _run_loop(run_service(settings))


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
