"""Writes recordings to compressed, rotated files that are readable up to the last write, even if the process dies."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING, Final

import msgspec

from feeds.errors import FeedError
from feeds.recording.packet import FORMAT, Header, encode_line
from oddsengine.common.redaction import SECRETS

if TYPE_CHECKING:
    from pathlib import Path

    from feeds.recording.packet import Packet

_LEVEL: Final = 5
_SAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")


class Recorder:
    """Records one feed.

    `add` only buffers a packet, so it can be called in the event loop. `write` does the I/O and can be called in a thread, but
    not twice at the same time.

    Args:
        folder: where the files are written; created if necessary.
        feed: the feed's name.
        adapter: the name of its adapter.
        config: its config block, which contains no secrets.
        began_ms: when the recording begins, Unix milliseconds.
        rotate_bytes: the size of a file before compression at which another one is begun.
        rotate_s: the age of a file at which another one is begun, in seconds.

    Raises:
        FeedError: if the folder can't be created.
    """

    def __init__(
        self,
        folder: Path,
        feed: str,
        adapter: str,
        config: msgspec.Struct,
        began_ms: int,
        *,
        rotate_bytes: int = 256 * 1024 * 1024,
        rotate_s: float = 3600.0,
    ) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FeedError(f"{folder} can't be created: {error.strerror}") from error
        self._folder = folder
        self._header = Header(
            oddsengine_recording=FORMAT,
            feed=feed,
            adapter=adapter,
            began_ms=began_ms,
            part=0,
            config=msgspec.Raw(msgspec.json.encode(config)),
        )
        self._rotate_bytes = rotate_bytes
        self._rotate_ms = rotate_s * 1000
        self._buffer: list[Packet] = []
        self._file: gzip.GzipFile | None = None
        self._file_bytes = 0
        self._file_began_ms = 0
        self._last_ms = 0
        self.packets = 0
        self.bytes = 0
        self.files: list[Path] = []

    def add(self, packet: Packet) -> None:
        """Buffer a packet for the next `write`. Its time is raised to the last one's if it is earlier: readers merge by time."""
        if packet.at_ms < self._last_ms:
            packet = msgspec.structs.replace(packet, at_ms=self._last_ms)
        self._last_ms = packet.at_ms
        self._buffer.append(packet)

    def write(self) -> None:
        """Write the buffered packets. Raises OSError if that fails; packets that were not written stay buffered."""
        packets, self._buffer = self._buffer, []
        for place, packet in enumerate(packets):
            try:
                self._write(packet)
            except OSError:
                self._buffer = packets[place:] + self._buffer
                raise
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Write the buffered packets and close the file."""
        self.write()
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, packet: Packet) -> None:
        is_old = packet.at_ms - self._file_began_ms >= self._rotate_ms
        if self._file is None or self._file_bytes >= self._rotate_bytes or is_old:
            self._begin_file(packet.at_ms)
        assert self._file is not None  # noqa: S101 - begun above
        line = SECRETS.redact_bytes(encode_line(packet)) + b"\n"
        self._file.write(line)
        self._file_bytes += len(line)
        self.packets += 1
        self.bytes += len(line)

    def _begin_file(self, at_ms: int) -> None:
        if self._file is not None:
            self._file.close()
        self._header = msgspec.structs.replace(self._header, part=self._header.part + 1)
        name = f"{_SAFE.sub('_', self._header.feed)}-{self._header.began_ms}-{self._header.part:04d}.jsonl.gz"
        path = self._folder / name
        self._file = gzip.GzipFile(path, "wb", compresslevel=_LEVEL, mtime=0)
        self._file.write(encode_line(self._header) + b"\n")
        self._file_bytes, self._file_began_ms = 0, at_ms
        self.files.append(path)
