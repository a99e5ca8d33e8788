"""Replays recordings: recorded bytes through the feeds' codecs to batches of updates, at a given speed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Protocol, cast

import msgspec

from feeds.errors import BadMessage, FeedError
from feeds.feed import Rejected, installed_feeds
from feeds.inspection import UpdateInspector
from feeds.recording.packet import FORMAT, decode_header, decode_packet
from feeds.recording.player import Player
from oddsengine.common.excerpts import bounded
from oddsengine.domain.feed_updates import UpdateBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from feeds.feed import NativeRecordings, RecordingReader
    from feeds.recording.packet import Header
    from feeds.recording.reader import Recordings

#: A file that begins with more unreadable lines than this is not a recording.
_MAX_UNREADABLE: Final = 100


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
        FeedError: if a file is not a recording, earlier parts of one are missing, or its adapter is not installed.
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
            header = _header_of(name, line)
            if header is None:
                # Each file is a session of its own: an image in one replaces nothing of another.
                self._streams.append(_MessageStream(_native(adapter, name).recording_reader(adapter)))
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
        #: stream of which nothing could be read yet -> what was wrong with its first lines
        self._unread: dict[int, list[str]] = {stream: [] for stream in range(len(self._streams))}

    def batches(self) -> Iterator[tuple[int, list[UpdateBatch]]]:
        """Yield the time in milliseconds and the batches of each recorded message or packet, in order of time.

        Raises:
            FeedError: if nothing of a given file, folder or archive can be read.
        """
        names = self._recordings.names
        counts, unread = self.counts, self._unread
        for line in self._recordings.lines():
            found, rejected = self._streams[line.stream].read(line.data)
            counts.messages += 1
            counts.updates += sum(len(batch.updates) for batch in found)
            for problem in rejected:
                counts.rejected += 1
                where = "" if problem.where == "message" else f"{problem.where}: "
                self._reject(line.stream, f"{names[line.stream]}:{line.number}: {where}{bounded(problem.reason)}")
            if line.stream in unread and (found or not rejected):
                for text in unread.pop(line.stream):
                    self._report(text)
            yield line.pt_ms, found
        for name, reason in self._recordings.damaged:
            counts.rejected += 1
            self._report(f"{name}: damaged, or still being written; read as far as it goes: {reason}")
        self._check_given()

    def _reject(self, stream: int, text: str) -> None:
        """Report a problem, once it is known that what it was found in is a recording."""
        problems = self._unread.get(stream)
        if problems is None:
            self._report(text)
        elif len(problems) < _MAX_UNREADABLE:
            problems.append(text)
        elif str(self._recordings.given[stream]) == self._recordings.names[stream]:
            raise FeedError(f"not a recording: {problems[0]}")

    def _check_given(self) -> None:
        """Check that something of every path that was given could be read, and report what in a folder is no recording."""
        names, given = self._recordings.names, self._recordings.given
        readable = {given[stream] for stream in range(len(names)) if stream not in self._unread}
        damaged = dict(self._recordings.damaged)
        for stream, problems in self._unread.items():
            text = problems[0] if problems else f"{names[stream]}: {damaged.get(names[stream], 'it is empty')}"
            if given[stream] not in readable:
                raise FeedError(f"not a recording: {text}")
            self._report(f"left out, not a recording: {text}")

    def _add_sources(self, sources: Sequence[str]) -> None:
        self.sources += [source for source in sources if source not in self.sources]


class _Stream(Protocol):
    """Decodes the lines of a recording."""

    def read(self, line: bytes) -> tuple[list[UpdateBatch], list[Rejected]]: ...


class _MessageStream:
    """A recording in the provider's own format, one message a line."""

    def __init__(self, reader: RecordingReader) -> None:
        self._reader = reader
        self._inspector = UpdateInspector()

    def read(self, line: bytes) -> tuple[list[UpdateBatch], list[Rejected]]:
        events = self._reader.read_line(line)
        batches: list[UpdateBatch] = []
        rejected = [event for event in events if isinstance(event, Rejected)]
        for event in events:
            if isinstance(event, UpdateBatch):
                batch, refused = self._inspector.inspect(event)
                batches.append(batch)
                rejected += refused
        return batches, rejected


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


def _header_of(name: str, line: bytes) -> Header | None:
    """Return the header of a recording; None for one in the provider's own format."""
    try:
        header = decode_header(line)
    except BadMessage as error:
        raise FeedError(f"not a recording: {name}:1: {error}") from error
    if header is not None and header.oddsengine_recording > FORMAT:
        raise FeedError(
            f"{name} was recorded by a newer release, in format {header.oddsengine_recording}: this one knows {FORMAT}"
        )
    return header


def _native(adapter: str, name: str) -> NativeRecordings:
    plugin = installed_feeds()[adapter]
    if not hasattr(plugin, "recording_reader"):
        text = f"it has no header of `oddsengine record`, and the adapter {adapter!r} reads no recordings of its provider's"
        raise FeedError(f"not a recording: {name}: {text}")
    return cast("NativeRecordings", plugin)


def _packet_stream(header: Header, name: str) -> _PacketStream:
    plugin = installed_feeds().get(header.adapter)
    if plugin is None:
        raise FeedError(f"{name} was recorded through the adapter {header.adapter!r}, which is not installed")
    try:
        config = msgspec.json.decode(header.config, type=plugin.config_type)
    except msgspec.MsgspecError as error:
        raise FeedError(f"{name}: the config of the feed that was recorded can't be used: {bounded(str(error))}") from error
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
