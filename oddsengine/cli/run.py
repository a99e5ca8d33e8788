"""`oddsengine run`: feeds, engine and gateway in one process."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

from oddsengine.cli.record import ROTATE_BYTES, ROTATE_S, recording
from oddsengine.common.signals import on_reload, stop_event
from oddsengine.runtime.feed_runner import describe, feeding, samples, sources_of
from oddsengine.runtime.reload import Reloader
from oddsengine.runtime.service import engine_api, engine_running, serving
from oddsengine.runtime.telemetry.metrics import build_registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from feeds.recording.recorder import Recorder
    from feeds.supervision.supervisor import Supervisor
    from oddsengine.engine.engine import Engine
    from oddsengine.runtime.settings import Settings

_log = structlog.get_logger(__name__)


async def run(settings: Settings, config: Path, read: Callable[[Path], Settings], record_to: Path | None = None) -> None:
    """Play every role until SIGINT or SIGTERM, then drain and return; SIGHUP and a change of the file reload the profiles.

    Args:
        settings: the configuration.
        config: the file it came from.
        read: reads that file again; raises ConfigError.
        record_to: the folder that what the feeds receive is recorded to; None: it is not.
    """
    stop = stop_event()
    supervisors: list[Supervisor] = []
    async with serving(settings, sources_of(settings.feeds), [lambda: samples(supervisors)]) as service:
        reloader = Reloader(config, read, settings, service.engine.adopt)
        async with (
            recording(settings.feeds, record_to, ROTATE_BYTES, ROTATE_S) as recorders,
            _feeding(settings, service.engine, reloader, supervisors, recorders),
        ):
            _log.info("serving", url=f"http://{settings.gateway.host}:{service.port}", feeds=list(settings.feeds))
            await stop.wait()
            _log.info("stopping")


async def run_engine(settings: Settings, config: Path, read: Callable[[Path], Settings], metrics_port: int) -> None:
    """Own feeds and shards and publish to the configured Redis, without a gateway; else as `run`.

    Args:
        settings: the configuration; its Redis has a URL.
        config: the file it came from.
        read: reads that file again; raises ConfigError.
        metrics_port: where `/healthz`, `/metrics` and explanations are served; 0 takes a free one.
    """
    stop = stop_event()
    supervisors: list[Supervisor] = []
    async with engine_running(settings, settings.redis.url, sources_of(settings.feeds)) as engine:
        reloader = Reloader(config, read, settings, engine.adopt)
        registry = build_registry([engine.samples, lambda: samples(supervisors)])
        async with (
            _feeding(settings, engine, reloader, supervisors),
            engine_api(engine, registry, settings.gateway.host, metrics_port) as port,
        ):
            _log.info("publishing", metrics=f"http://{settings.gateway.host}:{port}/metrics", feeds=list(settings.feeds))
            await stop.wait()
            _log.info("stopping")


@asynccontextmanager
async def _feeding(
    settings: Settings,
    engine: Engine,
    reloader: Reloader,
    supervisors: list[Supervisor],
    recorders: Mapping[str, Recorder] | None = None,
) -> AsyncIterator[None]:
    """Run the configured feeds, whose supervisors are put into a list that others hold, and the reloader."""
    taps = {name: recorder.add for name, recorder in (recorders or {}).items()}
    async with feeding(settings.feeds, engine, taps) as running:
        supervisors += running
        engine.describe_feeds = lambda: describe(supervisors)
        on_reload(reloader.request)
        async with asyncio.TaskGroup() as group:
            reloading = group.create_task(reloader.run(), name="reload")
            try:
                yield
            finally:
                reloading.cancel()
