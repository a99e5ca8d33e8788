"""Messages per second of a feed whose feeder is another process, and of engines that share the shards.

Feeder and engine work at the same time, each on a core of its own, so the slower one of them is the limit. Both are measured by
their processor time, with a real Redis between them, and compared with all of it in one process. How two engines share the work
is measured without Redis: each of them reads every update, and prices the markets of its own shards.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Final

from bench.load.system import redis_running
from bench.reporting.row import Row, compared
from feeds.adapters.betfair.market_stream import MarketStream
from feeds.recording.reader import Recordings
from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.tasks import end_tasks
from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketUpdate, SourceStatus, UpdateBatch
from oddsengine.engine.ownership.shard_writer import UnlimitedLease
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.streams.clients.shared_reader import SharedReader
from oddsengine.streams.connection import open_client
from oddsengine.streams.ingest.entries import IngestEntry, decode_entry, encode_entry
from oddsengine.streams.ingest.intake import FeedIntake
from oddsengine.streams.ingest.reader import READ_COUNT, IngestReader
from oddsengine.streams.ingest.writer import IngestWriter
from oddsengine.streams.keys import ingest_keys
from oddsengine.streams.positions import Position
from oddsengine.streams.publisher import prepare
from tests.support.builders import a_definition, an_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from oddsengine.sourcing.images import Aged

_NAMESPACE: Final = "bench"
_SOURCE: Final = "betfair"
_LIVE: Final = UpdateBatch(_SOURCE, 0, [SourceStatus("live", "bench")])
#: Messages in an entry, and in a flush.
_AT_ONCE: Final = 10
_PATIENCE_S: Final = 120.0
_LOOK_S: Final = 0.01
_ROUNDS: Final = 3
_MESSAGES: Final = 6_000
_SHARDS: Final = 8
_EVENTS: Final = 240
_MOVES: Final = 12_000
_THROUGH_STREAMS: Final = 0.6
_TWO_ENGINES: Final = 1.6


def run(recording: Path) -> list[Row]:
    """Measure both.

    Args:
        recording: of Betfair.
    """
    with redis_running() as url:
        in_memory_s, feeder_s, engine_s, messages = min(
            (_through_redis(url, f"{_NAMESPACE}{number}", recording) for number in range(_ROUNDS)), key=lambda each: each[2]
        )
    one_s = min(_engine_s(set(range(_SHARDS))) for _ in range(_ROUNDS))
    half_s = max(min(_engine_s(set(range(first, _SHARDS, 2))) for _ in range(_ROUNDS)) for first in (0, 1))
    reference = "in one process"
    through = Row(
        scenario="ingest",
        metric="through ingest streams",
        value=messages / max(feeder_s, engine_s),
        unit="messages/s",
        reference=reference,
        goal=_THROUGH_STREAMS,
    )
    shared = Row(
        scenario="ingest",
        metric="two engines, half of the shards each",
        value=_MOVES / half_s,
        unit="messages/s",
        reference="one engine",
        goal=_TWO_ENGINES,
    )
    return [
        Row(scenario="ingest", metric=reference, value=messages / in_memory_s, unit="messages/s"),
        Row(scenario="ingest", metric="feeder", value=messages / feeder_s, unit="messages/s"),
        Row(scenario="ingest", metric="engine that follows", value=messages / engine_s, unit="messages/s"),
        compared(through, messages / in_memory_s),
        Row(scenario="ingest", metric="one engine", value=_MOVES / one_s, unit="messages/s"),
        compared(shared, _MOVES / one_s),
    ]


# -- through Redis --------------------------------------------------------------------------------------------------


def _through_redis(url: str, namespace: str, recording: Path) -> tuple[float, float, float, int]:
    """Return the processor time of all in one process, of a feeder, and of an engine that follows it; and how many messages."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        engine = pool.submit(_follow, url, namespace, len(_read(recording)))
        feeder = pool.submit(_feed, url, namespace, recording)
        feeder_s, engine_s = feeder.result(), engine.result()
        in_memory_s, messages = pool.submit(_in_memory, recording).result()
    return in_memory_s, feeder_s, engine_s, messages


def _lines(recording: Path) -> list[bytes]:
    with Recordings([recording]) as recordings:
        return [line.data for line in islice(recordings.lines(), _MESSAGES)]


def _read(recording: Path) -> list[UpdateBatch]:
    stream = MarketStream(_SOURCE)
    return [event for line in _lines(recording) for event in stream.read_line(line) if type(event) is UpdateBatch]


class _PricingEngine:
    """A pipeline that flushes after so many messages."""

    def __init__(self) -> None:
        self.pipeline = Pipeline(Pricer({"default": Profile(book_sum=1.05)}), [_SOURCE])
        self.received = 0

    def receive(self, batch: UpdateBatch) -> None:
        self.pipeline.receive(batch, 0)
        self.received += 1
        if self.received % _AT_ONCE == 0:
            _flush(self.pipeline, (0,))


def _flush(pipeline: Pipeline, shards: Iterable[int]) -> None:
    for shard in shards:
        pipeline.flush(shard, 0)
        batch = pipeline.offers[shard].commit(0)
        if batch is not None:
            prepare(pipeline.offers[shard], batch)


def _in_memory(recording: Path) -> tuple[float, int]:
    lines, stream, engine = _lines(recording), MarketStream(_SOURCE), _PricingEngine()
    engine.receive(_LIVE)
    began_s = time.process_time()
    for line in lines:
        for event in stream.read_line(line):
            if type(event) is UpdateBatch:
                engine.receive(event)
    return time.process_time() - began_s, len(lines)


def _feed(url: str, namespace: str, recording: Path) -> float:
    return asyncio.run(_feed_all(url, namespace, _lines(recording)))


async def _feed_all(url: str, namespace: str, lines: list[bytes]) -> float:
    redis, stream = open_client(url, _PATIENCE_S), MarketStream(_SOURCE)
    writer = IngestWriter(redis, namespace, _SOURCE, [_SOURCE], UnlimitedLease(), wall_clock_ms)  # type: ignore[arg-type]
    writer.receive(_LIVE)
    writing = asyncio.create_task(writer.run())
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await redis.blpop([_ready(namespace)], timeout=0)
        began_s = time.process_time()
        for number, line in enumerate(lines):
            for event in stream.read_line(line):
                if type(event) is UpdateBatch:
                    writer.receive(event)
            if number % _AT_ONCE == 0:
                # As in a process that reads sockets: an entry has what was received while the one before it was written.
                await asyncio.sleep(0)
        entries = writer.entries
        await _until(lambda: writer.entries > entries)
        return time.process_time() - began_s
    finally:
        await end_tasks([writing])
        await redis.aclose()


def _follow(url: str, namespace: str, count: int) -> float:
    return asyncio.run(_follow_all(url, namespace, count))


async def _follow_all(url: str, namespace: str, count: int) -> float:
    redis, engine = open_client(url), _PricingEngine()

    def deliver(aged: Aged) -> None:
        engine.receive(aged.batch)

    shared = SharedReader(redis, [ingest_keys(namespace, _SOURCE).stream], time.monotonic, count=READ_COUNT)
    reader = IngestReader(shared, namespace, _SOURCE, [_SOURCE], lambda source: engine.pipeline.books[source].markets, deliver)
    reading = [asyncio.create_task(each.run()) for each in (reader, shared)]
    try:
        await _until(lambda: reader.is_current)
        engine.received, began_s = 0, time.process_time()
        await redis.rpush(_ready(namespace), 1)
        await _until(lambda: engine.received >= count)
        return time.process_time() - began_s
    finally:
        await end_tasks(reading)
        await redis.delete(*ingest_keys(namespace, _SOURCE))
        await redis.aclose()


def _ready(namespace: str) -> str:
    return f"{namespace}:ready"


async def _until(condition: Callable[[], bool], look_s: float = _LOOK_S) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - it is not ours to set an event
            await asyncio.sleep(look_s)


# -- two engines ----------------------------------------------------------------------------------------------------


def _entries() -> tuple[list[bytes], list[bytes]]:
    """Return the entries of an ingest stream: a snapshot of many events, and how their markets move."""
    keys = ("home", "draw", "away")
    images = [_LIVE]
    for number in range(_EVENTS):
        market = MarketUpdate(f"m{number}", image=True, definition=a_definition(f"e{number}/match_odds", keys))
        images.append(UpdateBatch(_SOURCE, 0, [EventUpdate(an_event(f"e{number}")), market]))
    snapshot = IngestEntry(images, 1, is_first=True, is_last=True, ages_ms=[0] * len(images))
    moves = []
    for number in range(_MOVES):
        quotes = (2.0 + number % 7 / 50, 3.4 + number % 5 / 50, 3.9 + number % 3 / 50)
        books = [BookChange(f"s-{key}", quote=round(quote, 2)) for key, quote in zip(keys, quotes, strict=True)]
        moves.append(UpdateBatch(_SOURCE, number, [MarketUpdate(f"m{number % _EVENTS}", books=books)]))
    entries = [IngestEntry(moves[start : start + _AT_ONCE]) for start in range(0, _MOVES, _AT_ONCE)]
    return [encode_entry(snapshot)], [encode_entry(entry) for entry in entries]


def _engine_s(owned: set[int]) -> float:
    """Return the processor time of an engine that reads every update and prices the markets of some shards."""
    pipeline = Pipeline(Pricer({"default": Profile(book_sum=1.05)}), [_SOURCE], shards=_SHARDS)
    intake = FeedIntake([_SOURCE], lambda source: list(pipeline.books[source].markets))
    snapshot, moves = _entries()
    intake.read(Position(1, 0), IngestEntry())
    intake.expect(1)
    began_s = 0.0
    for seq, encoded in enumerate((*snapshot, *moves), start=1):
        if seq == len(snapshot) + 1:
            began_s = time.process_time()
        for aged in intake.read(Position(1, seq), decode_entry(encoded)):
            pipeline.receive(aged.batch, 0)
        _flush(pipeline, owned)
    return time.process_time() - began_s
