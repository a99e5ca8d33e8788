"""Replays recordings: recorded bytes through the feeds' codecs to batches of updates, at a given speed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol, cast

import msgspec

from feeds.errors import BadMessage, FeedError
from feeds.feed import Rejected, installed_feeds
from feeds.recording.packet import decode_header, decode_packet
from feeds.recording.player import Player
from oddsengine.domain.feed_updates import UpdateBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from feeds.feed import NativeRecordings, RecordingReader
    from feeds.recording.packet import Header
    from feeds.recording.reader import Recordings


class ReplayCounts(msgspec.Struct):
    """Counts of a replay."""

    messages: int = 0
    updates: int = 0
    rejected: int = 0
    batches: int = 0
    changes: int = 0
    bytes: int = 0


class Replay:
    """Decodes recorded lines to batches of updates.

    Args:
        recordings: the open recordings.
        adapter: the adapter and source of recordings that do not name theirs.
        report: is called with a line of text for each problem.

    Raises:
        FeedError: if earlier parts of a recording are missing, or its adapter is not installed.
    """

    def __init__(self, recordings: Recordings, adapter: str, report: Callable[[str], None]) -> None:
        self._recordings = recordings
        self._report = report
        self.counts = ReplayCounts()
        #: the sources in the recordings, in the order of the files
        self.sources: list[str] = []
        #: the sources whose recordings do not include the feed's health
        self.without_health: list[str] = []
        self._streams: list[_Stream] = []
        parts: dict[tuple[str, int], tuple[_PacketStream, int]] = {}
        for name, line in zip(recordings.names, recordings.first_lines(), strict=True):
            header = decode_header(line)
            if header is None:
                # Each file is a session of its own: an image in one replaces nothing of another.
                plugin = cast("NativeRecordings", installed_feeds()[adapter])
                self._streams.append(_MessageStream(plugin.recording_reader(adapter)))
                self._add_sources([adapter])
                self.without_health = [adapter]
                continue
            key = (header.feed, header.began_ms)
            packets, last = parts.get(key) or (_packet_stream(header, name), 0)
            if header.part != last + 1:
                raise FeedError(f"{name} is part {header.part} of its recording, and part {last + 1} is missing; pass all parts")
            parts[key] = (packets, header.part)
            self._streams.append(packets)
            self._add_sources(packets.sources)

    def batches(self) -> Iterator[tuple[int, list[UpdateBatch]]]:
        """Yield the time in milliseconds and the batches of each recorded message or packet, in order of time."""
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

    def _add_sources(self, sources: Sequence[str]) -> None:
        self.sources += [source for source in sources if source not in self.sources]


class _Stream(Protocol):
    """Decodes the lines of a recording."""

    def read(self, line: bytes) -> tuple[list[UpdateBatch], list[Rejected]]: ...


class _MessageStream:
    """A recording in the provider's own format, one message a line."""

    def __init__(self, reader: RecordingReader) -> None:
        self._reader = reader

    def read(self, line: bytes) -> tuple[list[UpdateBatch], list[Rejected]]:
        events = self._reader.read_line(line)
        batches = [event for event in events if isinstance(event, UpdateBatch)]
        return batches, [event for event in events if isinstance(event, Rejected)]


class _PacketStream:
    """A recording of `oddsengine record` with all its parts, one packet a line."""

    def __init__(self, player: Player, sources: tuple[str, ...]) -> None:
        self._player = player
        self.sources = sources

    def read(self, line: bytes) -> tuple[list[UpdateBatch], list[Rejected]]:
        try:
            return self._player.play(decode_packet(line))
        except BadMessage as error:
            return [], [] if decode_header(line) is not None else [Rejected(error.where, error.reason, "")]


def _packet_stream(header: Header, name: str) -> _PacketStream:
    plugin = installed_feeds().get(header.adapter)
    if plugin is None:
        raise FeedError(f"{name} was recorded through the adapter {header.adapter!r}, which is not installed")
    config = msgspec.json.decode(header.config, type=plugin.config_type)
    return _PacketStream(Player(plugin.offline(header.feed, config)), plugin.sources(header.feed, config))


class ReplayClock:
    """Maps recorded times to delays.

    Args:
        speed: a multiple of real time; None for no delays.
        clock: monotonic seconds.
    """

    def __init__(self, speed: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._speed = speed
        self._clock = clock
        self._start_s = clock()
        self._first_ms: int | None = None

    def delay_s(self, at_ms: int) -> float:
        """Return the seconds until a recorded time is due. The first time is due at once."""
        # Lines before the first known time have the time 0.
        if self._speed is None or at_ms == 0:
            return 0.0
        if self._first_ms is None:
            self._first_ms, self._start_s = at_ms, self._clock()
        return max(0.0, self._start_s + (at_ms - self._first_ms) / 1000 / self._speed - self._clock())
