"""Tasks that run for the length of a test."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end. Raises what it failed with."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@asynccontextmanager
async def in_background(coroutine: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run a coroutine beside the block, and stop it at its end."""
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        await stop(task)
