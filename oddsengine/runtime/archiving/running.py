"""Runs an archiver until its context is left."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from oddsengine.common.clock import CLOCK
from oddsengine.history.archive.archiver import Archiver
from oddsengine.history.archive.upkeep import Upkeep
from oddsengine.runtime.archiving.checkpoint_key import load_checkpoint_key
from oddsengine.runtime.feeding.running import member_name
from oddsengine.runtime.parts.sole_worker import run_worker

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

    Raises:
        ValueError: if the key that signs checkpoints can't be used.
    """
    history = settings.history
    upkeep = Upkeep(history.keep_days, load_checkpoint_key(history), history.checkpoint_s, CLOCK.wall_ms)
    name, namespace, shards = member_name(), settings.redis.namespace, settings.engine.shards
    options: Any = {"lease_s": settings.engine.lease_s, "clock": time.monotonic, "wall_ms": CLOCK.wall_ms}
    async with run_worker(
        redis_url, lambda redis: Archiver(name, redis, database, namespace, shards, upkeep, **options)
    ) as archiver:
        yield archiver
