"""Divides the time of a history into parts, and has them verified by as many processes as there are processors."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

from oddsengine.history.verification.windows import Part, verify_part

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.history.verification.windows import Job, Last

#: For fewer entries another process takes longer to start than it saves.
_MIN_ENTRIES: Final = 200_000
_PARTS_EACH: Final = 8


async def verify_parts(
    job: Job, limits: tuple[int, int], count: int, progress: Callable[[int], None], processes: int | None = None
) -> Part:
    """Verify the entries of a time. Return what was found in all of it.

    Args:
        job: what is verified.
        limits: the times of the first entry, and after the last, Unix milliseconds.
        count: how many entries there are, about.
        progress: called with how many were verified more.
        processes: how many processes verify; None for as many as there are processors.
    """
    processes = processes or (len(os.sched_getaffinity(0)) if count >= _MIN_ENTRIES else 1)
    first_ms, end_ms = limits
    number = processes * _PARTS_EACH if processes > 1 else 1
    step_ms = max(1, -(-(end_ms - first_ms) // number))
    times = [(at_ms, min(at_ms + step_ms, end_ms)) for at_ms in range(first_ms, end_ms, step_ms)]
    parts: list[Part] = []
    if processes == 1:
        for time in times:
            parts.append(await verify_part(job, *time))
            progress(sum(parts[-1].entries))
        return _joined(job, parts)
    # A process of its own for each, since there are threads here that a fork would not have.
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        loop = asyncio.get_running_loop()
        waiting = [loop.run_in_executor(pool, _verify, job, *time) for time in times]
        try:
            for each in waiting:
                parts.append(await each)
                progress(sum(parts[-1].entries))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return _joined(job, parts)


def _verify(job: Job, first_ms: int, end_ms: int) -> Part:
    return asyncio.run(verify_part(job, first_ms, end_ms))


def _joined(job: Job, parts: list[Part]) -> Part:
    """Join parts, in order: where one does not begin with what the one before has ended with, that seems wrong too."""
    shards = range(len(job.shards))
    nothing: list[Last | None] = [None] * len(shards)
    whole = Part([0] * len(shards), [0] * len(shards), [0] * len(shards), nothing, nothing, set())
    for part in parts:
        whole = Part(
            [whole.entries[shard] + part.entries[shard] for shard in shards],
            [whole.changes[shard] + part.changes[shard] for shard in shards],
            [whole.met[shard] + part.met[shard] for shard in shards],
            whole.begins,
            part.ends,
            whole.suspects | part.suspects | {shard for shard in shards if whole.ends[shard] != part.begins[shard]},
        )
    return whole
