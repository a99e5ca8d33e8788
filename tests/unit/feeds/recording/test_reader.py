"""Reading recordings: every format, merged by publish time, with damage reported and limited to its stream."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from typing import TYPE_CHECKING

import pytest

from feeds.errors import FeedError
from feeds.recording.reader import Recordings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = b'{"pt":10,"a":1}\r\n{"pt": 20}\n\nno time here\n{"pt":30}'


def read(*paths: Path, **options: int) -> list[tuple[int, int, bytes]]:
    with Recordings(list(paths), **options) as recordings:
        return [(line.pt_ms, line.number, line.data) for line in recordings.lines()]


EXPECTED = [(10, 1, b'{"pt":10,"a":1}'), (20, 2, b'{"pt": 20}'), (20, 4, b"no time here"), (30, 5, b'{"pt":30}')]


@pytest.mark.parametrize(
    ("name", "pack"),
    [("plain", bytes), ("a.json", bytes), ("a.gz", gzip.compress), ("a.bz2", bz2.compress), ("a.xz", lzma.compress)],
)
def test_plain_and_compressed_files(tmp_path: Path, name: str, pack: object) -> None:
    path = tmp_path / name
    path.write_bytes(pack(TEXT))  # type: ignore[operator]
    assert EXPECTED == read(path)


def test_folders_and_archives(tmp_path: Path) -> None:
    """Betfair's historical data is a tar of bz2 files."""
    with tarfile.open(tmp_path / "data.tar", "w") as tar:
        for number in range(3):
            content = bz2.compress(b'{"pt":%d}\n{"pt":%d}' % (number, 100 - number))
            entry = tarfile.TarInfo(f"BASIC/2022/{number}.bz2")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x.gz").write_bytes(gzip.compress(b'{"pt":50}'))
    assert [0, 1, 2, 50, 98, 99, 100] == [pt for pt, _, _ in read(tmp_path)]


def test_streams_are_merged_by_publish_time_and_keep_their_own_order(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b'{"pt":1}\n{"pt":5,"x":1}\n{"pt":5,"x":2}\n')
    (tmp_path / "b").write_bytes(b'{"pt":2}\n{"pt":5,"x":3}\n{"pt":9}\n')
    assert [1, 2, 5, 5, 5, 9] == [pt for pt, _, _ in read(tmp_path)]
    assert [b'{"pt":5,"x":1}', b'{"pt":5,"x":2}', b'{"pt":5,"x":3}'] == [data for pt, _, data in read(tmp_path) if pt == 5]


def test_more_streams_than_may_be_open_at_once(tmp_path: Path) -> None:
    lines = 20
    for number in range(30):
        text = b"".join(b'{"pt":%d,"s":%d}\n' % (step * 30 + number, number) for step in range(lines))
        (tmp_path / f"{number:02}.bz2").write_bytes(bz2.compress(text))
    found = read(tmp_path, max_open_streams=8, block_bytes=16)
    assert list(range(30 * lines)) == [pt for pt, _, _ in found]


@pytest.mark.parametrize(("suffix", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress)])
def test_a_truncated_file_is_read_up_to_the_damage(tmp_path: Path, suffix: str, pack: Callable[..., bytes]) -> None:
    path = tmp_path / f"a.{suffix}"
    count = 12_000
    text = b"".join(b'{"pt":%d,"n":%d}\n' % (number, number * 7919 % 1000) for number in range(count))
    # Blocks as small as there are: bzip2 has whole ones or nothing.
    packed = pack(text, compresslevel=1) if suffix == "bz2" else pack(text)
    path.write_bytes(packed[: len(packed) * 3 // 4])
    (tmp_path / "whole").write_bytes(b'{"pt":1000000}')
    with Recordings([tmp_path]) as recordings:
        lines = list(recordings.lines())
        assert 1000 < len(lines) < count
        assert 1_000_000 == lines[-1].pt_ms
        assert [str(path)] == [name for name, _ in recordings.damaged]


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="no recordings in"):
        read(tmp_path)
    with pytest.raises(FeedError, match="no such file"):
        read(tmp_path / "none")
