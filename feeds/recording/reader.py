"""Reads recordings line by line, merged by publish time, in bounded memory.

A recording is a text file with one message a line: plain, gz, bz2 or xz, in folders, or in tar archives (Betfair's historical
data has thousands of bz2 members). Only one line of each stream is held in memory. If there are too many streams to decompress at
once, they are unpacked to a temporary folder first and read from there in small blocks.
"""

from __future__ import annotations

import bz2
import gzip
import heapq
import io
import lzma
import re
import shutil
import tarfile
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple, Self, cast

from feeds.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

#: A bz2 decompressor takes some 4 MB. More streams than this are unpacked to disk first.
MAX_OPEN_STREAMS: Final = 64
_BLOCK_BYTES: Final = 64 * 1024
#: The time of a line: our own packets begin with it, Betfair's messages contain it.
_TIME = re.compile(rb'^\{"at_ms":(\d+)|"pt"\s*:\s*(\d+)')
_SUFFIXES: Final[dict[str, Callable[[IO[bytes]], IO[bytes]]]] = {
    ".gz": lambda raw: cast("IO[bytes]", gzip.GzipFile(fileobj=raw)),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}


class RecordedLine(NamedTuple):
    """One line of a recording.

    Attributes:
        pt_ms: its publish time, Unix milliseconds; that of the previous line if it has none.
        stream: the index of its stream in `Recordings.names`.
        number: its number in the stream, from 1.
        data: its bytes, without the line end.
    """

    pt_ms: int
    stream: int
    number: int
    data: bytes


class _Member(NamedTuple):
    """A stream that is not open yet: its name, a file or a member of an archive, and the path by which it was found."""

    name: str
    path: Path
    inside: str | None = None
    given: Path = Path()


class Recordings:
    """A set of recordings, as a context manager.

    Args:
        paths: files, folders and tar archives.
        max_open_streams: the maximum number of streams to decompress at once.
        block_bytes: the block size for reading unpacked streams.

    Raises:
        FeedError: on entering, if a path does not exist or contains no recording.
    """

    def __init__(self, paths: list[Path], *, max_open_streams: int = MAX_OPEN_STREAMS, block_bytes: int = _BLOCK_BYTES) -> None:
        self._paths = paths
        self._max_open_streams = max_open_streams
        self._block_bytes = block_bytes
        self._stack = ExitStack()
        self._members: list[_Member] = []
        self._damaged: list[tuple[str, str]] = []
        self.total_bytes = 0
        self.read_bytes = 0

    def __enter__(self) -> Self:
        try:
            for path in self._paths:
                self._members += [member._replace(given=path) for member in _find(path)]
            if len(self._members) > self._max_open_streams or any(member.inside is not None for member in self._members):
                self._members = self._unpack(self._members)
        except BaseException:
            self._stack.close()
            raise
        if not self._members:
            raise FeedError(f"no recordings in {', '.join(map(str, self._paths))}")
        self.total_bytes = sum(member.path.stat().st_size for member in self._members)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    @property
    def names(self) -> list[str]:
        """The name of each stream, in the order of `RecordedLine.stream`."""
        return [member.name for member in self._members]

    @property
    def given(self) -> list[Path]:
        """The path that led to each stream, in the order of `names`: the file, or a folder or an archive with more of them."""
        return [member.given for member in self._members]

    def first_lines(self) -> list[bytes]:
        """Return the first line of each stream, in the order of `names`; empty for an empty stream."""
        return [next(self._raw_lines(member, count=False), b"") for member in self._members]

    @property
    def damaged(self) -> list[tuple[str, str]]:
        """The streams whose compressed data is damaged or incomplete, and the error of each."""
        return self._damaged

    def lines(self) -> Iterator[RecordedLine]:
        """Yield the lines of all streams by publish time. Lines of one stream keep their order."""
        streams = [self._lines_of(number, member) for number, member in enumerate(self._members)]
        return heapq.merge(*streams, key=lambda line: (line.pt_ms, line.stream)) if len(streams) > 1 else streams[0]

    def _unpack(self, members: list[_Member]) -> list[_Member]:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="oddsengine-replay-")))
        unpacked: list[_Member] = []
        archives: dict[Path, dict[str, _Member]] = {}
        for member in members:
            if member.inside is not None:
                archives.setdefault(member.path, {})[member.inside] = member
        for archive, inside in archives.items():
            # One pass in the order of the archive: seeking in a compressed archive is very slow.
            with tarfile.open(archive) as tar:
                for entry in tar:
                    if entry.name in inside and (source := tar.extractfile(entry)) is not None:
                        unpacked.append(self._unpack_one(source, inside[entry.name], entry.name, folder, len(unpacked)))
        for member in members:
            if member.inside is None:
                with member.path.open("rb") as source:
                    unpacked.append(self._unpack_one(source, member, member.path.name, folder, len(unpacked)))
        return sorted(unpacked, key=lambda member: member.name)

    def _unpack_one(self, source: IO[bytes], member: _Member, file_name: str, folder: Path, number: int) -> _Member:
        target = folder / str(number)
        with target.open("wb") as out:
            try:
                shutil.copyfileobj(_decompressed(source, file_name), out)
            except (OSError, EOFError, lzma.LZMAError) as error:
                self._damaged.append((member.name, str(error)))
        return _Member(member.name, target, None, member.given)

    def _lines_of(self, stream: int, member: _Member) -> Iterator[RecordedLine]:
        pt_ms = 0
        for number, data in enumerate(self._raw_lines(member), start=1):
            found = _TIME.search(data)
            if found is not None:
                pt_ms = int(found[1] or found[2])
            if data:
                yield RecordedLine(pt_ms, stream, number, data)

    def _raw_lines(self, member: _Member, *, count: bool = True) -> Iterator[bytes]:
        if len(self._members) > self._max_open_streams:
            yield from self._blocks(member.path)
            return
        with member.path.open("rb") as raw:
            before = 0
            try:
                for line in _decompressed(raw, member.path.name):
                    position = raw.tell()
                    self.read_bytes += (position - before) if count else 0
                    before = position
                    yield line.rstrip(b"\r\n")
            except (OSError, EOFError, lzma.LZMAError) as error:
                if count:
                    self._damaged.append((member.name, str(error)))

    def _blocks(self, path: Path) -> Iterator[bytes]:
        """Read an unpacked stream without keeping it open: there may be more streams than a process may open files."""
        position = 0
        rest = b""
        while True:
            with path.open("rb") as raw:
                raw.seek(position)
                block = raw.read(self._block_bytes)
            if not block:
                break
            position += len(block)
            self.read_bytes += len(block)
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                yield line.rstrip(b"\r")
        if rest:
            yield rest


def _find(path: Path) -> list[_Member]:
    if path.is_dir():
        return [
            member
            for file in sorted(path.rglob("*"))
            if file.is_file() and not file.name.startswith(".")
            for member in _find(file)
        ]
    if not path.is_file():
        raise FeedError(f"{path}: no such file or folder")
    # One that is cut off is read as far as it goes, and then said to be damaged.
    with suppress(EOFError):
        if tarfile.is_tarfile(path):
            with tarfile.open(path) as tar:
                return [_Member(f"{path}:{entry.name}", path, entry.name) for entry in tar if entry.isfile()]
    return [_Member(str(path), path)]


def _decompressed(raw: IO[bytes], name: str) -> IO[bytes]:
    opener = _SUFFIXES.get(Path(name).suffix.lower())
    return opener(raw) if opener is not None else io.BufferedReader(raw) if isinstance(raw, io.RawIOBase) else raw
