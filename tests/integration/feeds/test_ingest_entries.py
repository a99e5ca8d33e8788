"""What a feeder writes of a feed, in Redis."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from oddsengine.common.clock import CLOCK
from oddsengine.common.tasks import end_tasks
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.streams.clients.shared_reader import SharedReader
from oddsengine.streams.ingest.entries import IngestEntry, decode_entry
from oddsengine.streams.ingest.reader import IngestReader
from oddsengine.streams.ingest.writer import IngestWriter
from oddsengine.streams.keys import BATCH_FIELD, ingest_keys
from oddsengine.streams.positions import Position, parse_stream_id
from tests.support.service import wait_until

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oddsengine.streams.leases.keeper import Lease


class Held:
    """A lease that never ends."""

    def is_held(self) -> bool:
        return True

    async def until_held(self) -> None:
        pass


async def written(redis: Redis) -> dict[Position, IngestEntry]:
    entries: Any = await redis.xrange(ingest_keys("late", "feed").stream)
    return {parse_stream_id(key): decode_entry(fields[BATCH_FIELD]) for key, fields in entries}


def live(reason: str) -> UpdateBatch:
    return UpdateBatch("src", None, [SourceStatus("live", reason)])


async def asked_for(redis: Redis, writer: IngestWriter, number: int) -> None:
    """Wait for the snapshot of a number, which was asked for."""
    writer.receive(live("again"))
    async with asyncio.timeout(10):
        while [number] != [entry.snapshot for entry in (await written(redis)).values() if entry.is_last][-1:]:
            await asyncio.sleep(0.01)


async def test_a_snapshot_is_written_although_redis_has_lost_how_many_were_asked_for(redis: Redis) -> None:
    lease: Lease = Held()  # type: ignore[assignment]
    writer = IngestWriter(redis, "late", "feed", ["src"], lease, CLOCK.now_ms)
    wanted = ingest_keys("late", "feed").wanted
    await redis.set(wanted, 5)
    task = asyncio.create_task(writer.run())
    try:
        await wait_until(lambda: writer._term > 0, "a term")
        await asked_for(redis, writer, 5)
        await redis.delete(wanted)
        await redis.incr(wanted)
        await asked_for(redis, writer, 1)
    finally:
        await end_tasks([task])


async def test_an_entry_that_arrives_too_late_is_replaced_by_a_term_with_a_snapshot(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease: Lease = Held()  # type: ignore[assignment]
    writer = IngestWriter(redis, "late", "feed", ["src"], lease, CLOCK.now_ms)
    script: Any = writer._script
    delays_ms: list[int] = []

    async def write(keys: Any, args: list[Any]) -> Any:
        *arguments, limit_ms = args
        return await script(keys=keys, args=[*arguments, limit_ms - (delays_ms.pop() if delays_ms else 0)])

    monkeypatch.setattr(writer, "_script", write)
    task = asyncio.create_task(writer.run())
    try:
        await wait_until(lambda: writer._term > 0, "a term")
        writer.receive(live("at first"))
        await wait_until(lambda: writer.entries >= 3, "a snapshot")
        first = writer._term
        with capture_logs() as logs:
            delays_ms.append(2000)
            writer.receive(live("late"))
            await wait_until(lambda: writer._term > first and writer._has_served, "another term")
        await wait_until(lambda: writer.entries >= 6, "its snapshot")
    finally:
        await end_tasks([task])
    entries = await written(redis)
    second = [entry for at, entry in entries.items() if at.epoch > first]
    said = [
        [update.reason for batch in entry.batches for update in batch.updates if type(update) is SourceStatus]
        for at, entry in entries.items()
        if at.epoch == first
    ]
    assert [log["event"] for log in logs][:2] == ["feed entry not in time, beginning another term", "feed taken over"]
    assert ["late"] not in said
    assert second[0].continues
    assert [["late"]] == [[update.reason for update in entry.batches[0].updates] for entry in second if entry.is_last]  # type: ignore[union-attr]


@pytest.mark.parametrize("rubbish", ["another type", "no number"])
async def test_a_feed_is_followed_again_whatever_was_written_over_its_keys(rubbish: str, redis: Redis) -> None:
    lease: Lease = Held()  # type: ignore[assignment]
    writer = IngestWriter(redis, "late", "feed", ["src"], lease, CLOCK.now_ms)
    keys = ingest_keys("late", "feed")
    shared = SharedReader(redis, [keys.stream], time.monotonic)
    reader = IngestReader(shared, "late", "feed", ["src"], lambda _: (), lambda _: None)
    tasks = [asyncio.create_task(each.run()) for each in (writer, shared, reader)]
    try:
        writer.receive(live("at first"))
        await wait_until(lambda: reader.is_current, "a snapshot")
        first, gaps = writer._term, reader.gaps
        if rubbish == "another type":
            await redis.delete(*keys)
            await redis.set(keys.stream, "rubbish")
            await redis.rpush(keys.wanted, "rubbish")
        else:
            await redis.set(keys.wanted, "rubbish")
            await redis.delete(keys.stream)
        await wait_until(lambda: writer._term > first and reader.gaps > gaps, "the loss is noticed")
        await wait_until(lambda: reader.is_current, "another snapshot")
    finally:
        await end_tasks(tasks)
