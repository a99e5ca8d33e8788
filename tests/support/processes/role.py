"""A role in the test's own event loop: as the command runs it, without the time that a process takes to start."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from oddsengine.cli.roles.engine import engine
from oddsengine.cli.roles.feeder import feeder
from oddsengine.cli.roles.gateway import gateway
from oddsengine.cli.roles.run import run
from oddsengine.cli.support import read_settings
from oddsengine.runtime.processes.startup import Startup, Step
from tests.support.service import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from oddsengine.runtime.settings import Settings


class Role:
    """A role that was started.

    Args:
        startup: its start.
        task: what runs it.
    """

    def __init__(self, startup: Startup, task: asyncio.Task[None]) -> None:
        self.startup = startup
        self.task = task

    async def reached(self, step: Step) -> None:
        """Wait until it has come to a step of its start."""
        await wait_until(lambda: self.task.done() or self.startup.step is step, step.what)
        if self.task.done():
            self.task.result()

    async def waits_for(self, words: str) -> None:
        """Wait until its start waits for something."""
        await wait_until(lambda: self.task.done() or words in self.startup.waiting_for, words)

    async def stop(self) -> None:
        """Ask it to stop, as SIGTERM does, and wait until it has. Raises what it raises."""
        self.startup.stop()
        async with asyncio.timeout(PATIENCE_S):
            await self.task


@asynccontextmanager
async def running(
    role: str, config: Path, *, record_to: Path | None = None, connects_feeds: bool = True, **engine_or_gateway: Any
) -> AsyncIterator[Role]:
    """Start a role, and stop it when the context is left.

    Args:
        role: engine, feeder, gateway or run.
        config: its config file.
        record_to: where `run` and `feeder` record their feeds.
        connects_feeds: whether an engine connects feeds.
        engine_or_gateway: settings of the section that says where it listens, instead of the file's.
    """
    section = role if role in {"engine", "feeder"} else "gateway"

    def load(path: Path) -> Settings:
        settings = read_settings(path)
        replaced = msgspec.structs.replace(getattr(settings, section), **engine_or_gateway)
        return msgspec.structs.replace(settings, **{section: replaced})

    startup = Startup()
    settings = load(config)
    if role == "run":
        main = run(startup, settings, config, load, record_to)
    elif role == "feeder":
        main = feeder(startup, settings, config, load, record_to)
    elif role == "engine":
        main = engine(startup, settings, config, load, connects_feeds=connects_feeds)
    else:
        main = gateway(startup, settings, config, load)
    task = asyncio.create_task(main)
    started = Role(startup, task)
    try:
        yield started
    finally:
        if not task.done():
            await started.stop()
