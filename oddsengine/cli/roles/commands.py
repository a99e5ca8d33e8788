"""The commands that run a role: their options and their help."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the types of options
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from oddsengine.cli.support import (
    ConfigOption,
    HostOption,
    PortOption,
    RecordOption,
    config_path,
    read_settings,
    require_redis,
    run_role,
    with_address,
)
from oddsengine.history.settings import EMBEDDED, HistorySettings
from oddsengine.runtime.telemetry.logs import configure_logging

if TYPE_CHECKING:
    from oddsengine.runtime.settings import Settings

bridge = typer.Typer(help="Publish changes, results and commands to a broker's topics.", no_args_is_help=True)

# The commands import their modules when they are called: `--help` and the other commands start faster without.
# ruff: noqa: PLC0415


def run(
    config: ConfigOption = None,
    port: PortOption = None,
    host: HostOption = None,
    record_to: RecordOption = None,
    history: Annotated[
        bool | None, typer.Option("--history/--no-history", help="Keep what is published in PostgreSQL. Default: the config's.")
    ] = None,
) -> None:
    """Run feeds, engine and gateway in one process, with an embedded Redis unless the config has a URL."""
    from oddsengine.cli.roles.run import run as run_all

    def load(file: Path) -> Settings:
        settings = with_address(read_settings(file), port, host)
        if history is None or bool(settings.history.url) == history:
            return settings
        return msgspec.structs.replace(settings, history=HistorySettings(url=EMBEDDED if history else ""))

    path = config_path(config)
    settings = load(path)
    configure_logging(settings.log.level)
    run_role(lambda startup: run_all(startup, settings, path, load, record_to))


def engine(
    config: ConfigOption = None,
    port: Annotated[
        int | None, typer.Option(help="Serve /healthz, /metrics and the engine's API on this port instead of the config's.")
    ] = None,
    host: HostOption = None,
    no_feeders: Annotated[  # noqa: FBT002 - an option of the command line
        bool, typer.Option("--no-feeders", help="Connect no feeds: receive them from `oddsengine feeder`, or from other engines.")
    ] = False,
) -> None:
    """Run feeds and engine without a gateway: own shards and publish to the config's Redis."""
    from oddsengine.cli.roles.engine import engine as run_engine

    def load(file: Path) -> Settings:
        return with_address(read_settings(file), port, host, "engine")

    path = config_path(config)
    settings = require_redis(load(path), "engine")
    configure_logging(settings.log.level)
    run_role(lambda startup: run_engine(startup, settings, path, load, connects_feeds=not no_feeders))


def feeder(
    config: ConfigOption = None,
    port: Annotated[
        int | None, typer.Option(help="Serve /healthz, /metrics and the state of its feeds on this port instead of the config's.")
    ] = None,
    host: HostOption = None,
    record_to: RecordOption = None,
) -> None:
    """Run feeds for engines in other processes: each feed is connected by one process, and taken over by another."""
    from oddsengine.cli.roles.feeder import feeder as run_feeder

    def load(file: Path) -> Settings:
        return with_address(read_settings(file), port, host, "feeder")

    path = config_path(config)
    settings = require_redis(load(path), "feeder")
    configure_logging(settings.log.level)
    run_role(lambda startup: run_feeder(startup, settings, path, load, record_to))


def gateway(
    config: ConfigOption = None,
    workers: Annotated[int | None, typer.Option(help="Processes that share the port. Default: the config's.", min=1)] = None,
    port: PortOption = None,
    host: HostOption = None,
    listen_fd: Annotated[str, typer.Option("--listen-fd", hidden=True)] = "",
    control_fd: Annotated[int | None, typer.Option("--control-fd", hidden=True)] = None,
    silent_s: Annotated[float, typer.Option("--silent-s", hidden=True)] = 0.0,
) -> None:
    """Run gateways without an engine: follow the config's Redis and serve subscribers."""
    from oddsengine.cli.roles.gateway import gateway as run_one
    from oddsengine.cli.roles.gateway import gateway_workers

    def load(file: Path) -> Settings:
        return with_address(read_settings(file), port, host)

    path = config_path(config)
    settings = require_redis(load(path), "gateway")
    configure_logging(settings.log.level)
    count = workers or settings.gateway.workers
    if count == 1:
        inherited = [int(fd) for fd in listen_fd.split(",") if fd]
        run_role(
            lambda startup: run_one(startup, settings, path, load, inherited=inherited, control=control_fd, silent_s=silent_s),
            is_worker=control_fd is not None,
        )
    else:
        run_role(lambda startup: gateway_workers(startup, settings, path, load, count))


def archiver(
    config: ConfigOption = None,
    port: Annotated[
        int | None, typer.Option(help="Serve /healthz, /readyz and /metrics on this port instead of the config's.")
    ] = None,
    host: HostOption = None,
    redis_url: Annotated[str, typer.Option("--redis-url", hidden=True)] = "",
    history_url: Annotated[str, typer.Option("--history-url", hidden=True)] = "",
    until_eof: Annotated[bool, typer.Option("--until-eof", hidden=True)] = False,  # noqa: FBT002 - as above
) -> None:
    """Keep everything that is published in the config's PostgreSQL: one process does, others wait to take over."""
    from oddsengine.cli.roles.archiver import archiver as run_archiver

    def load(file: Path) -> Settings:
        settings = with_address(read_settings(file), port, host, "history")
        if redis_url:
            settings = msgspec.structs.replace(settings, redis=msgspec.structs.replace(settings.redis, url=redis_url))
        if history_url:
            given = HistorySettings(
                url=history_url,
                host=settings.history.host,
                keep_days=settings.history.keep_days,
                checkpoint_key=settings.history.checkpoint_key,
                checkpoint_s=settings.history.checkpoint_s,
            )
            settings = msgspec.structs.replace(settings, history=given)
        return settings

    path = config_path(config)
    settings = require_redis(load(path), "archiver")
    if not settings.history.url:
        raise typer.BadParameter("history.url is empty: set it to a PostgreSQL database", param_hint="--config")
    configure_logging(settings.log.level)
    run_role(lambda startup: run_archiver(startup, settings, path, load, until_eof=until_eof))


@bridge.command()
def kafka(config: ConfigOption = None, port: PortOption = None, host: HostOption = None) -> None:
    """Publish to the config's Kafka: one process does, others wait to take over."""
    _run_bridge("kafka", config, port, host)


@bridge.command()
def rabbitmq(config: ConfigOption = None, port: PortOption = None, host: HostOption = None) -> None:
    """Publish to the config's RabbitMQ: one process does, others wait to take over."""
    _run_bridge("rabbitmq", config, port, host)


def _run_bridge(kind: Literal["kafka", "rabbitmq"], config: Path | None, port: int | None, host: str | None) -> None:
    from oddsengine.cli.roles.bridge import bridge as run_one

    settings = require_redis(read_settings(config_path(config)), "bridge")
    section = getattr(settings.bridge, kind)
    if section is None:
        raise typer.BadParameter(f"the config has no [bridge.{kind}]: add it", param_hint="--config")
    given = {name: value for name, value in (("port", port), ("host", host)) if value is not None}
    bridges = msgspec.structs.replace(settings.bridge, **{kind: msgspec.structs.replace(section, **given)})
    settings = msgspec.structs.replace(settings, bridge=bridges)
    configure_logging(settings.log.level)
    run_role(lambda startup: run_one(startup, settings, kind))
