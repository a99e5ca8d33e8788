"""Files of a recording: rotated, in order, and readable at any time."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from feeds.errors import FeedError
from feeds.recording.packet import Packet, decode_header, decode_packet
from feeds.recording.recorder import Recorder

if TYPE_CHECKING:
    from pathlib import Path


class Config(msgspec.Struct):
    host: str = "somewhere"


def a_recorder(folder: Path, **limits: float) -> Recorder:
    return Recorder(folder, "my feed", "line", Config(), 1000, **limits)  # type: ignore[arg-type]


def lines(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines()


def test_a_full_file_is_followed_by_another_one_with_its_own_header(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path / "new", rotate_bytes=100)
    for number in range(6):
        recorder.add(Packet(at_ms=number, kind="data", text="x" * 30))
        recorder.write()
    recorder.close()
    assert ["my_feed-1000-0001.jsonl.gz", "my_feed-1000-0002.jsonl.gz", "my_feed-1000-0003.jsonl.gz"] == [
        file.name for file in recorder.files
    ]
    headers = [decode_header(lines(file)[0]) for file in recorder.files]
    assert [("my feed", "line", part) for part in (1, 2, 3)] == [
        (header.feed, header.adapter, header.part) for header in headers if header
    ]
    packets = [decode_packet(line) for file in recorder.files for line in lines(file)[1:]]
    assert list(range(6)) == [packet.at_ms for packet in packets]


def test_an_old_file_is_followed_by_another_one(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path, rotate_s=10)
    for at_ms in (0, 9_999, 10_000):
        recorder.add(Packet(at_ms=at_ms, kind="opened"))
    recorder.close()
    assert [3, 2] == [len(lines(file)) for file in recorder.files]


def test_times_never_decrease(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)
    for at_ms in (5, 3, 7):
        recorder.add(Packet(at_ms=at_ms, kind="opened"))
    recorder.close()
    assert [5, 5, 7] == [decode_packet(line).at_ms for line in lines(recorder.files[0])[1:]]


def test_written_packets_are_readable_before_the_file_is_closed(tmp_path: Path) -> None:
    """If the process dies, only the last moments are lost."""
    recorder = a_recorder(tmp_path)
    recorder.add(Packet(at_ms=1, kind="data", text="here"))
    recorder.write()
    with gzip.open(recorder.files[0]) as file:
        assert file.readline()
        assert b"here" in file.readline()
    recorder.close()


def test_packets_that_could_not_be_written_are_written_later(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path / "folder")
    (tmp_path / "folder").rmdir()
    for at_ms in (1, 2):
        recorder.add(Packet(at_ms=at_ms, kind="opened"))
    with pytest.raises(OSError, match="No such file"):
        recorder.write()
    (tmp_path / "folder").mkdir()
    recorder.close()
    assert [1, 2] == [decode_packet(line).at_ms for line in lines(recorder.files[0])[1:]]


def test_a_folder_that_can_not_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FeedError, match=re.escape(f"{tmp_path}/file/x can't be created")):
        a_recorder(tmp_path / "file" / "x")
