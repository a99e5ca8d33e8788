"""Helpers of all commands: loading settings, running the event loop, and parsing option values."""

from __future__ import annotations

import faulthandler
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn

import msgspec
import structlog
import typer

from feeds.errors import FeedError
from feeds.feed import installed_feeds
from oddsengine.cli.ending import text_of
from oddsengine.common.processes.signals import on_reload, on_stop
from oddsengine.common.times.reading import parse_time
from oddsengine.gateway.access.authentication import UnusableKey
from oddsengine.history.errors import HistoryError
from oddsengine.runtime.loop import new_runner, require_files
from oddsengine.runtime.processes.startup import EXIT_FAILED, StartFailed, Startup, Step, Stopped
from oddsengine.runtime.settings import demo_config, load_settings
from oddsengine.streams.errors import StreamError, UnsuitableRedis

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from rich.console import Console

    from oddsengine.runtime.settings import Settings

#: Longer than the longest orderly stop: that of workers that drain.
_STOP_TIMEOUT_S: Final = 30.0
#: Wider than any table; an expanded one would fill it.
_WIDEST: Final = 10_000
#: Why a role has nothing to reload.
_NEVER: Final = "this process takes over no changes of its config: restart it"
_NOT_YET: Final = "starting: a role that reloads compares its config when it has started"
_log = structlog.get_logger(__name__)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="TOML config file. Default: the demo config.", dir_okay=False)
]
PortOption = Annotated[int | None, typer.Option(help="Listen on this port instead of the config's.")]
HostOption = Annotated[str | None, typer.Option(help="Listen on this address instead of the config's.")]
RecordOption = Annotated[
    Path | None, typer.Option("--record", help="Also record what the feeds receive to this folder.", file_okay=False)
]


def config_path(config: Path | None) -> Path:
    """Return the absolute path of the config file: the demo config by default."""
    return (config or demo_config()).absolute()


def read_settings(config: Path | None) -> Settings:
    """Load a config file, by default the demo config. Raises ConfigError, which `main` prints."""
    plugins = installed_feeds()
    adapters = {name: plugin.config_type for name, plugin in plugins.items()}
    return load_settings(
        config or demo_config(), adapters, lambda adapter, name, feed_config: plugins[adapter].sources(name, feed_config)
    )


def with_address(
    settings: Settings,
    port: int | None,
    host: str | None = None,
    role: Literal["engine", "feeder", "gateway", "history"] = "gateway",
) -> Settings:
    """Return the settings with the port and host of the command line, where given, for the API of a role."""
    given = {name: value for name, value in (("port", port), ("host", host)) if value is not None}
    return msgspec.structs.replace(settings, **{role: msgspec.structs.replace(getattr(settings, role), **given)})


def require_redis(settings: Settings, role: str) -> Settings:
    """Return the settings if they name a Redis. Raises BadParameter otherwise."""
    if not settings.redis.is_given:
        text = f"redis.url is empty: set it to a Redis that the {role} and all other processes can reach"
        raise typer.BadParameter(text, param_hint="--config")
    return settings


def run_role(main: Callable[[Startup], Coroutine[Any, Any, None]], *, is_worker: bool = False) -> None:
    """Run a role until SIGINT or SIGTERM, which may come at any moment. Expected errors are printed, a line each.

    The exit codes are those of `oddsengine.runtime.processes.startup`.

    Args:
        main: starts the role, step by step, and returns once `stopping` is set.
        is_worker: whether only its parent cuts its pause short. A terminal or a supervisor may signal both, and its
            parent signals it too.
    """
    errors: list[BaseException] = []
    try:
        require_files()
        with new_runner() as runner:
            runner.run(_until_stopped(main, is_worker=is_worker))
    except* Stopped as group:
        _log.info("stopped while starting", step=next(leaves(group)).step.what)
    except* (StartFailed, StreamError, FeedError, HistoryError, UnusableKey, OSError) as group:
        errors = list(leaves(group))
    # Not inside `except*`, which would wrap the exit in a group and print its traceback.
    if errors:
        fail(*errors, code=max(map(_exit_code, errors)))


def _exit_code(error: BaseException) -> int:
    if isinstance(error, StartFailed):
        return error.step.exit_code
    return Step.IDENTIFY.exit_code if isinstance(error, UnsuitableRedis) else EXIT_FAILED


async def _until_stopped(main: Callable[[Startup], Coroutine[Any, Any, None]], *, is_worker: bool) -> None:
    # A stop that takes too long shows where it hangs, and ends even if the event loop does.
    startup = Startup(lambda pause_s: faulthandler.dump_traceback_later(pause_s + _STOP_TIMEOUT_S, exit=True))
    on_stop(startup.stop if is_worker else startup.stop_or_skip_pause)
    # Replaced by those roles that reload. What is requested before is not lost: they compare the file when they begin.
    on_reload(lambda: _log.info("nothing to reload", reason=_NEVER if startup.step is Step.READY else _NOT_YET))
    await main(startup)


def fail(*errors: BaseException, code: int = EXIT_FAILED) -> NoReturn:
    """Print errors, a line each, and exit."""
    for text in dict.fromkeys(map(text_of, errors)):
        typer.echo(f"error: {text}", err=True)
    sys.exit(code)


def open_console() -> Console:
    """Return the standard output for tables: as wide as they need where it is no terminal, whose lines others search."""
    from rich.console import Console  # noqa: PLC0415 - commands without a table start faster

    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDEST)
    return console


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


def time_option(text: str | None, option: str) -> int | None:
    """Return a date or time in Unix milliseconds, None for None. What says no zone is UTC."""
    if text is None:
        return None
    try:
        return parse_time(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"expected a date or a time as RFC 3339 has it, got {text!r}", param_hint=option) from None


def leaves(group: BaseExceptionGroup[Any]) -> Iterator[Any]:
    """Yield the exceptions of a group and of the groups in it."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error
