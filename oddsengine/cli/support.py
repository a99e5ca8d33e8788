"""What the commands share: loading settings, running the event loop, and parsing option values."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import msgspec
import typer

from feeds.errors import FeedError
from feeds.feed import installed_feeds
from oddsengine.gateway.access.authentication import UnusableKey
from oddsengine.runtime.loop import new_runner
from oddsengine.runtime.settings import demo_config, load_settings
from oddsengine.streams.errors import StreamError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from oddsengine.runtime.settings import Settings

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML config file. Default: the demo config.", dir_okay=False)
]
PortOption = Annotated[int | None, typer.Option(help="Listen on this port instead of the config's.")]
HostOption = Annotated[str | None, typer.Option(help="Listen on this address instead of the config's.")]


def config_path(config: Path | None) -> Path:
    """Return the absolute path of the config file: the demo config by default."""
    return (config or demo_config()).absolute()


def read_settings(config: Path | None) -> Settings:
    """Load a config file, by default the demo config. Raises ConfigError, which `main` prints."""
    adapters = {name: plugin.config_type for name, plugin in installed_feeds().items()}
    return load_settings(config or demo_config(), adapters)


def with_address(settings: Settings, port: int | None, host: str | None = None) -> Settings:
    """Return the settings with the port and host of the command line, where given."""
    given = {name: value for name, value in (("port", port), ("host", host)) if value is not None}
    return msgspec.structs.replace(settings, gateway=msgspec.structs.replace(settings.gateway, **given))


def require_redis(settings: Settings, role: str) -> Settings:
    """Return the settings if they name a Redis. Raises BadParameter otherwise."""
    if not settings.redis.url:
        text = f"redis.url is empty: set it to a Redis that the {role} and all other processes can reach"
        raise typer.BadParameter(text, param_hint="--config")
    return settings


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end. Expected errors are printed, a line each, with exit code 1."""
    errors: list[BaseException] = []
    try:
        with new_runner() as runner:
            runner.run(main)
    except* (StreamError, FeedError, UnusableKey, OSError) as group:
        errors = _leaves(group)
    # Not inside `except*`, which would wrap the exit in a group and print its traceback.
    if errors:
        fail(*errors)


def fail(*errors: BaseException) -> NoReturn:
    """Print errors, a line each, and exit with code 1."""
    for error in errors:
        typer.echo(f"error: {error}", err=True)
    sys.exit(1)


def parse_speed(text: str) -> float | None:
    """Return a multiple of real time, or None for "max"."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise typer.BadParameter(f"expected a number above 0 or 'max', got {text!r}", param_hint="--speed")
    return speed


def parse_times(text: str) -> list[int]:
    """Return the times of a comma-separated list."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"expected publish times in Unix milliseconds, separated by commas, got {text!r}", param_hint="--dump-at"
        ) from None


def _leaves(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    return [leaf for error in group.exceptions for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])]
