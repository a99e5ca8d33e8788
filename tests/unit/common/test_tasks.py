from __future__ import annotations

import asyncio

import pytest

from oddsengine.common.tasks import end_tasks


async def deaf(cancellations: int) -> None:
    """Run for ever, but for a cancellation after so many that are swallowed."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if not cancellations:
                raise
            cancellations -= 1


async def test_a_task_that_swallows_a_cancellation_is_ended() -> None:
    task = asyncio.create_task(deaf(1))
    await asyncio.sleep(0)
    await end_tasks([task])
    assert task.cancelled()


async def test_who_is_cancelled_while_it_ends_tasks_leaves_none_behind() -> None:
    task = asyncio.create_task(deaf(1))
    ending = asyncio.create_task(end_tasks([task]))
    await asyncio.sleep(0.01)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    assert task.cancelled()
