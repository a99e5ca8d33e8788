"""Runs an archiver until its context is left."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from oddsengine.common.clock import CLOCK
from oddsengine.common.tasks import end_tasks
from oddsengine.history.archive.archiver import Archiver
from oddsengine.runtime.feeding.running import member_name
from oddsengine.streams.connection import keep_on_primary, open_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oddsengine.history.database import Database
    from oddsengine.runtime.settings import Settings


@asynccontextmanager
async def run_archiver(settings: Settings, redis_url: str, database: Database) -> AsyncIterator[Archiver]:
    """Archive until the context is left, if no other process of the installation does.

    Args:
        settings: the configuration.
        redis_url: the Redis with the streams.
        database: where they are archived.
    """
    redis = open_client(redis_url)
    archiver = Archiver(
        member_name(),
        redis,
        database,
        settings.redis.namespace,
        settings.engine.shards,
        lease_s=settings.engine.lease_s,
        clock=time.monotonic,
        wall_ms=CLOCK.wall_ms,
    )
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(archiver.run(), name="archiver"),
                group.create_task(keep_on_primary(redis), name="primary"),
            ]
            try:
                yield archiver
            finally:
                await archiver.stop()
                await end_tasks(tasks)
    finally:
        await redis.aclose()
