"""What a feeder writes of a feed, in Redis."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from oddsengine.common.clock import CLOCK
from oddsengine.common.tasks import end_tasks
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.streams.clients.shared_reader import SharedReader
from oddsengine.streams.ingest.entries import IngestEntry, decode_entry, encode_entry
from oddsengine.streams.ingest.reader import IngestReader
from oddsengine.streams.ingest.writer import IngestWriter, Replaced
from oddsengine.streams.keys import BATCH_FIELD, ingest_keys
from oddsengine.streams.positions import Position, parse_stream_id
from tests.support.service import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from redis.asyncio import Redis


class SwitchedLease:
    """A lease that is held until the test says otherwise."""

    def __init__(self) -> None:
        self.held = asyncio.Event()
        self.held.set()

    def is_held(self) -> bool:
        return self.held.is_set()

    async def until_held(self) -> None:
        await self.held.wait()


@asynccontextmanager
async def writing(redis: Redis, lease: SwitchedLease | None = None) -> AsyncIterator[tuple[IngestWriter, asyncio.Task[None]]]:
    """Write a feed that is live. Yield the writer, which has written a snapshot, and its task."""
    held: Any = lease or SwitchedLease()
    writer = IngestWriter(redis, "late", "feed", ["src"], held, CLOCK.now_ms)
    task = asyncio.create_task(writer.run())
    try:
        await wait_until(lambda: writer._term > 0, "a term")
        writer.receive(live("at first"))
        await wait_until(lambda: writer.entries >= 3, "a snapshot")
        yield writer, task
    finally:
        await end_tasks([task])


async def said_in(redis: Redis, term: int) -> list[str]:
    """Return the reasons of the statuses that were written in a term."""
    return [
        update.reason
        for at, entry in (await written(redis)).items()
        for batch in entry.batches
        for update in batch.updates
        if at.epoch == term and type(update) is SourceStatus
    ]


async def written(redis: Redis) -> dict[Position, IngestEntry]:
    entries: Any = await redis.xrange(ingest_keys("late", "feed").stream)
    return {parse_stream_id(key): decode_entry(fields[BATCH_FIELD]) for key, fields in entries}


def live(reason: str) -> UpdateBatch:
    return UpdateBatch("src", None, [SourceStatus("live", reason)])


async def asked_for(redis: Redis, writer: IngestWriter, number: int) -> None:
    """Wait for the snapshot of a number, which was asked for."""
    writer.receive(live("again"))
    async with asyncio.timeout(30):
        while [number] != [entry.snapshot for entry in (await written(redis)).values() if entry.is_last][-1:]:
            await asyncio.sleep(0.01)


async def test_a_snapshot_is_written_although_redis_has_lost_how_many_were_asked_for(redis: Redis) -> None:
    wanted = ingest_keys("late", "feed").wanted
    await redis.set(wanted, 5)
    async with writing(redis) as (writer, _):
        await asked_for(redis, writer, 5)
        await redis.delete(wanted)
        await redis.incr(wanted)
        await asked_for(redis, writer, 1)


async def test_an_entry_that_arrives_too_late_is_replaced_by_a_term_with_a_snapshot(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    delays_ms: list[int] = []
    async with writing(redis) as (writer, _):
        script: Any = writer._script

        async def write(keys: Any, args: list[Any]) -> Any:
            *arguments, limit_ms = args
            return await script(keys=keys, args=[*arguments, limit_ms - (delays_ms.pop() if delays_ms else 0)])

        monkeypatch.setattr(writer, "_script", write)
        first = writer._term
        with capture_logs() as logs:
            delays_ms.append(2000)
            writer.receive(live("late"))
            await wait_until(lambda: writer._term > first and writer._has_served, "another term")
        await wait_until(lambda: writer.entries >= 6, "its snapshot")
        second = writer._term
    opening = (await written(redis))[Position(second, 0)]
    assert [log["event"] for log in logs][:2] == ["feed entry not in time, beginning another term", "feed taken over"]
    assert "late" not in await said_in(redis, first)
    assert opening.continues
    assert ["late"] == await said_in(redis, second)


@pytest.mark.parametrize("redis_answers", [True, False])
async def test_nothing_is_written_after_the_lease_has_ended_and_the_next_term_has_what_was_missed(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, *, redis_answers: bool
) -> None:
    """Another process may have the feed by then: also an entry that Redis has not taken before is not written."""
    lease = SwitchedLease()
    async with writing(redis, lease) as (writer, _):
        first, script = writer._term, writer._script
        refused = asyncio.Event()

        async def refuse(**_call: Any) -> Any:
            refused.set()
            raise RedisConnectionError

        if redis_answers:
            lease.held.clear()
            writer.receive(live("missed"))
        else:
            monkeypatch.setattr(writer, "_script", refuse)
            writer.receive(live("missed"))
            await refused.wait()
            lease.held.clear()
            monkeypatch.setattr(writer, "_script", script)
        await asyncio.sleep(0.15)
        assert "missed" not in await said_in(redis, first)
        lease.held.set()
        await wait_until(lambda: writer._term > first, "another term")
        async with asyncio.timeout(30):
            while "missed" not in await said_in(redis, writer._term):
                await asyncio.sleep(0.01)


async def test_a_feeder_ends_once_another_one_writes_its_feed_and_begins_above_whatever_was_written(redis: Redis) -> None:
    """A process whose clock is years ahead may have written before."""
    ahead = 10 * CLOCK.now_ms()
    async with writing(redis) as (writer, task):
        await redis.xadd(ingest_keys("late", "feed").stream, {BATCH_FIELD: encode_entry(IngestEntry())}, id=f"{ahead}-0")
        writer.receive(live("of the past"))
        await wait_until(task.done, "its end")
        assert isinstance(task.exception(), Replaced)
        assert "of the past" not in await said_in(redis, writer._term)
    async with writing(redis) as (writer, _):
        assert ahead < writer._term


@pytest.mark.parametrize("rubbish", ["another type", "no number"])
async def test_a_feed_is_followed_again_whatever_was_written_over_its_keys(rubbish: str, redis: Redis) -> None:
    lease: Any = SwitchedLease()
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


async def test_a_foreign_entry_costs_a_term_but_not_the_connection(redis: Redis) -> None:
    """What writes it is no feeder that has taken the feed over."""
    async with writing(redis) as (writer, task):
        term = writer._term
        await redis.xadd(ingest_keys("late", "feed").stream, {"foreign": "1"}, id=f"{term + 1_000_000}-0")
        await wait_until(lambda: writer._term > term or task.done(), "another term")
        assert not task.done()
