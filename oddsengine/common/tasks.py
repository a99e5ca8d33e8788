"""Reliable cancellation of tasks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks until they have ended: the Redis client can swallow a cancellation that meets a reply.

    Who is cancelled while it waits leaves no task behind: it goes on to wait, and is cancelled when all have ended.
    """
    pending = {task for task in tasks if not task.done()}
    cancellation: asyncio.CancelledError | None = None
    while pending:
        for task in pending:
            task.cancel()
        try:
            _, pending = await asyncio.wait(pending, timeout=0.5)
        except asyncio.CancelledError as error:
            cancellation = error
            pending = {task for task in pending if not task.done()}
    if cancellation is not None:
        raise cancellation
