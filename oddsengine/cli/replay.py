"""`oddsengine replay`: recordings through the real adapter and pipeline."""

from __future__ import annotations

import asyncio
import sys
import time
from base64 import b64encode
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, cast

import msgspec
import orjson
import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from feeds.errors import BadMessage, FeedError
from feeds.feed import Rejected, installed_feeds
from feeds.recording.packet import decode_header, decode_packet
from feeds.recording.player import Player
from feeds.recording.reader import Recordings
from oddsengine.common.signals import stop_event
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.runtime.service import run_service
from oddsengine.sourcing.dump import dump_book
from oddsengine.sourcing.source_book import SourceBook
from oddsengine.streams.publisher import prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from feeds.feed import NativeRecordings, RecordingReader
    from feeds.recording.packet import Header
    from oddsengine.runtime.settings import Settings

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
        adapter: whose recordings they are where the files do not say so themselves; it also names their source.
        report: takes one line of text for each problem.

    Raises:
        FeedError: if a file is a part of a recording whose earlier parts are missing, or of an adapter that is not installed.
    """

    def __init__(self, recordings: Recordings, adapter: str, report: Callable[[str], None]) -> None:
        self._recordings = recordings
        self._report = report
        self.counts = ReplayCounts()
        #: the sources that speak, in the order of the files
        self.sources: list[str] = []
        #: those of them whose recordings say nothing of how far they can be trusted
        self.trusted: list[str] = []
        self._streams: list[_Messages | _Packets] = []
        parts: dict[tuple[str, int], tuple[_Packets, int]] = {}
        for name, line in zip(recordings.names, recordings.first_lines(), strict=True):
            header = decode_header(line)
            if header is None:
                # Each stream is a session of its own: an image in one says nothing of what another names.
                self._streams.append(_Messages(cast("NativeRecordings", installed_feeds()[adapter]).recording_reader(adapter)))
                self._add([adapter])
                self.trusted = [adapter]
                continue
            key = (header.feed, header.began_ms)
            packets, last = parts.get(key) or (_packets(header, name), 0)
            if header.part != last + 1:
                raise FeedError(f"{name} is part {header.part} of its recording, and part {last + 1} is missing: give them all")
            parts[key] = (packets, header.part)
            self._streams.append(packets)
            self._add(packets.sources)

    def batches(self) -> Iterator[tuple[int, list[UpdateBatch]]]:
        """Give (time in ms, batches) for each recorded message or packet, in order."""
        names = self._recordings.names
        counts = self.counts
        for line in self._recordings.lines():
            found, rejected = self._streams[line.stream].read(line.data)
            counts.messages += 1
            counts.updates += sum(len(batch.updates) for batch in found)
            for problem in rejected:
                counts.rejected += 1
                where = "" if problem.where == "message" else f"{problem.where}: "
                self._report(f"{names[line.stream]}:{line.number}: {where}{problem.reason}")
            yield line.pt_ms, found
        for name, reason in self._recordings.damaged:
            counts.rejected += 1
            self._report(f"{name}: damaged, read as far as it goes: {reason}")

    def _add(self, sources: Sequence[str]) -> None:
        self.sources += [source for source in sources if source not in self.sources]


class _Messages:
    """A provider's own recording, one message a line."""

    def __init__(self, reader: RecordingReader) -> None:
        self._reader = reader

    def read(self, line: bytes) -> tuple[list[UpdateBatch], list[Rejected]]:
        events = self._reader.read_line(line)
        batches = [event for event in events if isinstance(event, UpdateBatch)]
        return batches, [event for event in events if isinstance(event, Rejected)]


class _Packets:
    """One of our own recordings, all its parts."""

    def __init__(self, player: Player, sources: tuple[str, ...]) -> None:
        self._player = player
        self.sources = sources

    def read(self, line: bytes) -> tuple[list[UpdateBatch], list[Rejected]]:
        try:
            return self._player.play(decode_packet(line))
        except BadMessage as error:
            return [], [] if decode_header(line) is not None else [Rejected(error.where, error.reason, "")]


def _packets(header: Header, name: str) -> _Packets:
    plugin = installed_feeds().get(header.adapter)
    if plugin is None:
        raise FeedError(f"{name} was recorded through the adapter {header.adapter!r}, which is not installed")
    config = msgspec.json.decode(header.config, type=plugin.config_type)
    return _Packets(Player(plugin.offline(header.feed, config)), plugin.sources(header.feed, config))


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
        books = {source: SourceBook(source) for source in replay.sources}
        waiting = sorted(set(times_ms))
        out = sys.stdout.buffer

        def dump_until(pt_ms: int | None) -> None:
            while waiting and (pt_ms is None or waiting[0] < pt_ms):
                at_ms = waiting.pop(0)
                for book in books.values():
                    for market in dump_book(book, at_ms):
                        out.write(orjson.dumps(market) + b"\n")

        with _progress(console) as progress:
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
    paths: list[Path], adapter: str, settings: Settings, speed: float | None = None, published: Path | None = None
) -> tuple[ReplayCounts, Pipeline, float]:
    """Take recordings through adapter and pipeline to encoded stream batches, one flush a time.

    The same recordings and settings give the same batches, byte for byte, at any speed.

    Args:
        paths: the recordings.
        adapter: whose they are, where they do not say so.
        settings: the configuration; its feeds are not used.
        speed: times real time; None for as fast as it goes.
        published: where to write the batches, one a line: JSON with the time, the shard, the position and the bytes in base64.

    Returns:
        Counts, the pipeline as it ended, and the seconds it took.
    """
    console = Console(stderr=True)
    with Recordings(paths) as recordings, ExitStack() as stack:
        out = stack.enter_context(published.open("wb")) if published is not None else None
        replay = Replay(recordings, adapter, lambda text: console.print(text, highlight=False, soft_wrap=True))
        counts = replay.counts
        pricer = Pricer(settings.profiles, settings.tiers)
        pipeline = Pipeline(pricer, replay.sources, settings.engine.shards, settings.sourcing, settings.matching)
        for source in replay.trusted:
            pipeline.receive(UpdateBatch(source, 0, [SourceStatus("live", "replay")]), 0)
        pace = Pace(speed)
        start = time.perf_counter()
        flushed_ms = 0

        def flush(now_ms: int) -> None:
            pipeline.tick(now_ms)
            for shard, offer in enumerate(pipeline.offers):
                pipeline.flush(shard, now_ms)
                batch = offer.commit(now_ms)
                if batch is not None:
                    counts.batches += 1
                    counts.changes += len(batch.markets)
                    payload = prepare(offer, batch).arguments[0]
                    if isinstance(payload, bytes):
                        counts.bytes += len(payload)
                        if out is not None:
                            line = {"at": now_ms, "shard": shard, "seq": offer.seq, "batch": b64encode(payload).decode()}
                            out.write(orjson.dumps(line) + b"\n")

        with _progress(console) as progress:
            task = progress.add_task("replaying", total=recordings.total_bytes, note="")
            for pt_ms, batches in replay.batches():
                if pt_ms != flushed_ms:
                    flush(flushed_ms)
                    flushed_ms = pt_ms
                    time.sleep(pace.wait_s(pt_ms))
                for batch in batches:
                    pipeline.receive(batch, pt_ms)
                if counts.messages % _PROGRESS_EVERY == 0:
                    progress.update(task, completed=recordings.read_bytes, note=f"{counts.messages:,} messages")
            flush(flushed_ms)
        return counts, pipeline, time.perf_counter() - start


class Pace:
    """Holds a replay to a speed.

    Args:
        speed: times real time; None for as fast as it goes.
    """

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._start_s = time.monotonic()
        self._first_ms: int | None = None

    def wait_s(self, at_ms: int) -> float:
        """Give the seconds until it is a recorded time's turn."""
        # What was recorded before any time was known has none to wait for.
        if self._speed is None or at_ms == 0:
            return 0.0
        if self._first_ms is None:
            self._first_ms, self._start_s = at_ms, time.monotonic()
        return max(0.0, self._start_s + (at_ms - self._first_ms) / 1000 / self._speed - time.monotonic())


async def replay_and_serve(paths: list[Path], adapter: str, settings: Settings, speed: float | None) -> None:
    """Serve recordings as if they came from the provider now; goes on serving the end state until SIGINT or SIGTERM.

    Args:
        paths: the recordings.
        adapter: whose they are.
        settings: the configuration; its feeds are not used.
        speed: times real time; None for as fast as it goes.
    """
    console = Console(stderr=True)
    stop = stop_event()
    with Recordings(paths) as recordings:
        replay = Replay(recordings, adapter, lambda text: console.print(text, highlight=False, soft_wrap=True))
        async with run_service(settings, replay.sources) as service:
            _log.info("serving", url=f"http://{settings.gateway.host}:{service.port}", streams=len(recordings.names))
            for source in replay.trusted:
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
    pace, turn = Pace(speed), time.monotonic()
    with _progress(console) as progress:
        task = progress.add_task("replaying", total=recordings.total_bytes, note="")
        for pt_ms, batches in replay.batches():
            if (wait_s := pace.wait_s(pt_ms)) > 0:
                progress.update(task, completed=recordings.read_bytes)
                await asyncio.sleep(wait_s)
            if time.monotonic() - turn > _TURN_S:
                await asyncio.sleep(_TURN_S)
                turn = time.monotonic()
            for batch in batches:
                sink(batch)
            if replay.counts.messages % _PROGRESS_EVERY == 0:
                progress.update(task, completed=recordings.read_bytes, note=f"{replay.counts.messages:,} messages")
