"""`oddsengine replay`: recordings through the real adapter and pipeline."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from typing import TYPE_CHECKING, Final, cast

import msgspec
import orjson
import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from feeds.feed import Rejected, installed_feeds
from feeds.recording.reader import Recordings
from oddsengine.books.dump import dump_book
from oddsengine.books.source_book import SourceBook
from oddsengine.commands.service import serving
from oddsengine.engine.pipeline import Pipeline
from oddsengine.markets.feed_updates import SourceStatus, UpdateBatch
from oddsengine.pricing.pricer import Pricer
from oddsengine.streams.publisher import prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from feeds.feed import OwnRecordings, RecordingReader
    from oddsengine.settings import Settings

#: At full speed, how long to read on before what was read gets its turn to be published, and how long that is.
_TURN_S: Final = 0.002
_PROGRESS_EVERY: Final = 500
_log = structlog.get_logger(__name__)


class ReplayCounts(msgspec.Struct):
    """What a replay came across."""

    messages: int = 0
    updates: int = 0
    rejected: int = 0
    batches: int = 0
    changes: int = 0
    bytes: int = 0


class Replay:
    """Turns recorded lines into batches of updates, and reports those that can't be read.

    Args:
        recordings: opened.
        adapter: the name of the feed adapter whose recordings they are; it also names the source.
        report: takes one line of text for each problem.
    """

    def __init__(self, recordings: Recordings, adapter: str, report: Callable[[str], None]) -> None:
        self._recordings = recordings
        self._report = report
        self.source = adapter
        self.counts = ReplayCounts()
        plugin = cast("OwnRecordings", installed_feeds()[adapter])
        # Each stream is a session of its own: an image in one says nothing of what another names.
        self._readers: list[RecordingReader] = [plugin.recording_reader(adapter) for _ in recordings.names]

    def batches(self) -> Iterator[tuple[int, list[UpdateBatch]]]:
        """Give (publish time in ms, batches) for each recorded message, in order."""
        names = self._recordings.names
        counts = self.counts
        for line in self._recordings.lines():
            counts.messages += 1
            found: list[UpdateBatch] = []
            for event in self._readers[line.stream].read_line(line.data):
                if isinstance(event, UpdateBatch):
                    counts.updates += len(event.updates)
                    found.append(event)
                elif isinstance(event, Rejected):
                    counts.rejected += 1
                    where = "" if event.where == "message" else f"{event.where}: "
                    self._report(f"{names[line.stream]}:{line.number}: {where}{event.reason}")
            yield line.pt_ms, found
        for name, reason in self._recordings.damaged:
            counts.rejected += 1
            self._report(f"{name}: damaged, read as far as it goes: {reason}")


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def dump_at(paths: list[Path], adapter: str, times_ms: list[int]) -> ReplayCounts:
    """Print, as JSON lines, every market's source book as it stood after all messages up to each publish time."""
    console = Console(stderr=True)
    with Recordings(paths) as recordings:
        replay = Replay(recordings, adapter, lambda text: console.print(text, highlight=False, soft_wrap=True))
        book = SourceBook(replay.source)
        waiting = sorted(set(times_ms))
        out = sys.stdout.buffer

        def dump_until(pt_ms: int | None) -> None:
            while waiting and (pt_ms is None or waiting[0] < pt_ms):
                at_ms = waiting.pop(0)
                for market in dump_book(book, at_ms):
                    out.write(orjson.dumps(market) + b"\n")

        with _progress(console) as progress:
            task = progress.add_task("replaying", total=recordings.total_bytes, note="")
            for pt_ms, batches in replay.batches():
                dump_until(pt_ms)
                for batch in batches:
                    for update in batch.updates:
                        book.apply(update, pt_ms)
                if replay.counts.messages % _PROGRESS_EVERY == 0:
                    progress.update(task, completed=recordings.read_bytes)
        dump_until(None)
        out.flush()
        return replay.counts


def replay_through(paths: list[Path], adapter: str, settings: Settings) -> tuple[ReplayCounts, Pipeline, float]:
    """Take recordings through adapter and pipeline to encoded stream batches, one flush a publish time.

    Returns:
        Counts, the pipeline as it ended, and the seconds it took.
    """
    console = Console(stderr=True)
    pipeline = Pipeline(Pricer(settings.profiles, settings.tiers), [adapter], settings.engine.shards)
    with Recordings(paths) as recordings:
        replay = Replay(recordings, adapter, lambda text: console.print(text, highlight=False, soft_wrap=True))
        counts = replay.counts
        pipeline.receive(UpdateBatch(adapter, 0, [SourceStatus("live", "replay")]), 0)
        start = time.perf_counter()
        flushed_ms = 0

        def flush(now_ms: int) -> None:
            pipeline.pass_time(now_ms)
            for shard, offer in enumerate(pipeline.offers):
                pipeline.flush(shard, now_ms)
                batch = offer.cut(now_ms)
                if batch is not None:
                    counts.batches += 1
                    counts.changes += len(batch.markets)
                    payload = prepare(offer, batch).arguments[0]
                    counts.bytes += len(payload) if isinstance(payload, bytes) else 0

        with _progress(console) as progress:
            task = progress.add_task("replaying", total=recordings.total_bytes, note="")
            for pt_ms, batches in replay.batches():
                if pt_ms != flushed_ms:
                    flush(flushed_ms)
                    flushed_ms = pt_ms
                for batch in batches:
                    pipeline.receive(batch, pt_ms)
                if counts.messages % _PROGRESS_EVERY == 0:
                    progress.update(task, completed=recordings.read_bytes, note=f"{counts.messages:,} messages")
            flush(flushed_ms)
        return counts, pipeline, time.perf_counter() - start


async def replay_and_serve(paths: list[Path], adapter: str, settings: Settings, speed: float | None) -> None:
    """Serve recordings as if they came from the provider now; goes on serving the end state until SIGINT or SIGTERM.

    Args:
        paths: the recordings.
        adapter: whose they are.
        settings: the configuration; its feeds are not used.
        speed: times real time; None for as fast as it goes.
    """
    console = Console(stderr=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    with Recordings(paths) as recordings:
        replay = Replay(recordings, adapter, lambda text: console.print(text, highlight=False, soft_wrap=True))
        async with serving(settings, [adapter]) as service:
            _log.info("serving", url=f"http://{settings.gateway.host}:{service.port}", streams=len(recordings.names))
            service.engine.receive(UpdateBatch(adapter, None, [SourceStatus("live", "replay")]))
            playing = asyncio.create_task(_play(replay, recordings, service.engine.receive, speed, console))
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({playing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                await playing
                _log.info("replay over, still serving", **msgspec.structs.asdict(replay.counts))
                await stop.wait()
            playing.cancel()
            stopping.cancel()
            await asyncio.gather(playing, stopping, return_exceptions=True)


async def _play(
    replay: Replay, recordings: Recordings, sink: Callable[[UpdateBatch], None], speed: float | None, console: Console
) -> None:
    first_ms: int | None = None
    start = turn = time.monotonic()
    with _progress(console) as progress:
        task = progress.add_task("replaying", total=recordings.total_bytes, note="")
        for pt_ms, batches in replay.batches():
            if speed is not None:
                first_ms = pt_ms if first_ms is None else first_ms
                due = start + (pt_ms - first_ms) / 1000 / speed
                if (wait := due - time.monotonic()) > 0:
                    progress.update(task, completed=recordings.read_bytes)
                    await asyncio.sleep(wait)
            if time.monotonic() - turn > _TURN_S:
                await asyncio.sleep(_TURN_S)
                turn = time.monotonic()
            for batch in batches:
                sink(batch)
            if replay.counts.messages % _PROGRESS_EVERY == 0:
                progress.update(task, completed=recordings.read_bytes, note=f"{replay.counts.messages:,} messages")
