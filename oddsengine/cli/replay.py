"""`oddsengine replay`: recordings through the real adapters and the pipeline."""

from __future__ import annotations

import asyncio
import sys
import time
from base64 import b64encode
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import msgspec
import orjson
import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from feeds.recording.reader import Recordings
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.runtime.processes.front import url_of
from oddsengine.runtime.processes.redis import require_no_owner
from oddsengine.runtime.replay import Replay, ReplayClock, ReplayCounts
from oddsengine.runtime.repricing.priced_replay import PricedReplay
from oddsengine.runtime.service import run_service
from oddsengine.sourcing.dump import dump_book
from oddsengine.sourcing.source_book import SourceBook
from oddsengine.streams.publisher import prepare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from oddsengine.engine.pipeline import Pipeline
    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.replay_commands import RecordedCommands
    from oddsengine.runtime.settings import Settings

#: At full speed: how long to read before the event loop may publish what was read, and for how long it may.
_TURN_S: Final = 0.002
_PROGRESS_EVERY: Final = 500
_log = structlog.get_logger(__name__)


def replay_progress(console: Console) -> Progress:
    """Return the progress bar of a replay, with a `note` after it."""
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
    """Print the source book of every market after all messages up to each publish time, as JSON lines."""
    console = Console(stderr=True)
    with Recordings(paths) as recordings:
        replay = Replay(recordings, adapter, lambda text: console.print(text, highlight=False, soft_wrap=True))
        books = {source: SourceBook(source) for source in replay.sources}
        waiting = sorted(set(times_ms))
        out = sys.stdout.buffer

        def dump_until(pt_ms: int | None) -> None:
            while waiting and (pt_ms is None or waiting[0] < pt_ms):
                at_ms = waiting.pop(0)
                for book in books.values():
                    for market in dump_book(book, at_ms):
                        out.write(orjson.dumps(market) + b"\n")

        with replay_progress(console) as progress:
            task = progress.add_task("replaying", total=recordings.total_bytes, note="")
            for pt_ms, batches in replay.batches():
                dump_until(pt_ms)
                for batch in batches:
                    for update in batch.updates:
                        books[batch.source].apply(update, pt_ms)
                if replay.counts.messages % _PROGRESS_EVERY == 0:
                    progress.update(task, completed=recordings.read_bytes)
        dump_until(None)
        out.flush()
        return replay.counts


def replay_through(
    paths: list[Path],
    adapter: str,
    settings: Settings,
    speed: float | None = None,
    published: Path | None = None,
    commands: RecordedCommands | None = None,
) -> tuple[ReplayCounts, Pipeline, float]:
    """Replay recordings through adapters and pipeline to encoded stream batches, one flush per recorded time.

    The same recordings, commands and settings produce the same batches, byte for byte, at any speed.

    Args:
        startup: the steps of the start.
        paths: the recordings.
        adapter: the adapter of recordings that do not name theirs.
        settings: the configuration. Its feeds are not used.
        speed: a multiple of real time; None for full speed.
        published: the file to write the batches to, one a line: JSON with time, shard, seq and the bytes in base64.
        commands: what people commanded meanwhile.

    Returns:
        The counts, the pipeline after the last flush, and the seconds it took.
    """
    console = Console(stderr=True)
    with Recordings(paths) as recordings, ExitStack() as stack:
        out = stack.enter_context(published.open("wb")) if published is not None else None
        replay = Replay(recordings, adapter, lambda text: console.print(text, highlight=False, soft_wrap=True))
        counts = replay.counts
        priced = PricedReplay(replay, settings, commands)
        clock = ReplayClock(speed)
        start = time.perf_counter()
        with replay_progress(console) as progress:
            task = progress.add_task("replaying", total=recordings.total_bytes, note="")
            shown = 0

            def wait(pt_ms: int) -> None:
                nonlocal shown
                time.sleep(clock.delay_s(pt_ms))
                if counts.messages - shown >= _PROGRESS_EVERY:
                    shown = counts.messages
                    progress.update(task, completed=recordings.read_bytes, note=f"{shown:,} messages")

            for at_ms, shard, offer, batch in priced.batches(wait):
                counts.batches += 1
                counts.changes += len(batch.markets)
                payload = prepare(offer, batch).batch
                counts.bytes += len(payload)
                if out is not None:
                    line = {"at": at_ms, "shard": shard, "seq": offer.seq, "batch": b64encode(payload).decode()}
                    out.write(orjson.dumps(line) + b"\n")
        return counts, priced.pipeline, time.perf_counter() - start


def summary(counts: ReplayCounts, pipeline: Pipeline, seconds: float) -> str:
    """Describe a finished replay in three lines; see `replay_through`."""
    open_markets = sum(market.state.status == "open" for offer in pipeline.offers for market in offer.markets.values())
    return (
        f"{counts.messages:,} messages ({counts.rejected:,} rejected) in {seconds:.2f} s, "
        f"{counts.messages / max(seconds, 1e-9):,.0f}/s\n"
        f"{counts.changes:,} market changes in {counts.batches:,} stream batches of {counts.bytes:,} bytes\n"
        f"{sum(len(offer.markets) for offer in pipeline.offers):,} markets on offer at the end, {open_markets:,} open"
    )


async def replay_and_serve(startup: Startup, paths: list[Path], adapter: str, settings: Settings, speed: float | None) -> None:
    """Serve recordings as if the provider sent them now, then keep serving the last state until SIGINT or SIGTERM.

    Args:
        startup: the steps of the start.
        paths: the recordings.
        adapter: the adapter of recordings that do not name theirs.
        settings: the configuration. Its feeds are not used.
        speed: a multiple of real time; None for full speed.
    """
    console = Console(stderr=True)
    stop = startup.stopping
    with Recordings(paths) as recordings:
        replay = Replay(recordings, adapter, lambda text: console.print(text, highlight=False, soft_wrap=True))
        # What a recording says is long past: it must not take the place of what is true.
        await require_no_owner(settings, startup)
        async with run_service(settings, replay.sources, startup=startup) as service:
            url = url_of(settings.gateway.host, service.port, tls=bool(settings.gateway.tls_cert))
            _log.info("serving", url=url, streams=len(recordings.names))
            for source in replay.without_health:
                service.engine.receive(UpdateBatch(source, None, [SourceStatus("live", "replay")]))
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
    clock, turn_started_s = ReplayClock(speed), time.monotonic()
    with replay_progress(console) as progress:
        task = progress.add_task("replaying", total=recordings.total_bytes, note="")
        for pt_ms, batches in replay.batches():
            if (delay_s := clock.delay_s(pt_ms)) > 0:
                progress.update(task, completed=recordings.read_bytes)
                await asyncio.sleep(delay_s)
            if time.monotonic() - turn_started_s > _TURN_S:
                await asyncio.sleep(_TURN_S)
                turn_started_s = time.monotonic()
            for batch in batches:
                sink(batch)
            if replay.counts.messages % _PROGRESS_EVERY == 0:
                progress.update(task, completed=recordings.read_bytes, note=f"{replay.counts.messages:,} messages")
