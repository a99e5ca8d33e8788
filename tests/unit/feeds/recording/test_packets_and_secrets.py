"""What is recorded, how it is kept, and what never is."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BadMessage, FeedError, MissingSecret
from feeds.recording.packet import Packet, data_packet, decode_header, decode_packet, encode_line, response_packet
from feeds.recording.recorder import Recorder
from feeds.toolkit.credentials import load_ca, read_secret
from feeds.transports.http import Request, Response

if TYPE_CHECKING:
    from pathlib import Path


class Config(msgspec.Struct):
    host: str = "somewhere"


@given(st.binary(max_size=200), st.integers(0, 2**53))
def test_bytes_come_back_as_they_were(data: bytes, at_ms: int) -> None:
    line = encode_line(data_packet(at_ms, data))
    assert b"\n" not in line
    packet = decode_packet(line)
    assert (at_ms, data) == (packet.at_ms, packet.body)
    response = Response(request=Request(name="odds", url="/x", key="k"), status=200, at_ms=at_ms, body=data)
    again = decode_packet(encode_line(response_packet(response))).response
    assert response == again


@pytest.mark.parametrize("line", [b"", b"{}", b'{"at_ms":1,"kind":"dance"}', b"\xff"])
def test_what_is_no_packet_is_told(line: bytes) -> None:
    with pytest.raises(BadMessage, match="packet"):
        decode_packet(line)


def a_recorder(folder: Path, **limits: float) -> Recorder:
    return Recorder(folder, "my feed", "line", Config(), 1000, **limits)  # type: ignore[arg-type]


def lines(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines()


def test_a_recording_says_what_it_is_and_goes_on_in_another_file(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path / "new", rotate_bytes=100)
    for number in range(6):
        recorder.take(Packet(at_ms=number, kind="data", text="x" * 30))
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


def test_another_file_is_begun_after_a_while(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path, rotate_s=10)
    for at_ms in (0, 9_999, 10_000):
        recorder.take(Packet(at_ms=at_ms, kind="opened"))
    recorder.close()
    assert [3, 2] == [len(lines(file)) for file in recorder.files]


def test_times_only_grow_so_that_recordings_can_be_merged_by_them(tmp_path: Path) -> None:
    recorder = a_recorder(tmp_path)
    for at_ms in (5, 3, 7):
        recorder.take(Packet(at_ms=at_ms, kind="opened"))
    recorder.close()
    assert [5, 5, 7] == [decode_packet(line).at_ms for line in lines(recorder.files[0])[1:]]


def test_what_was_written_can_be_read_before_the_file_is_ended(tmp_path: Path) -> None:
    """Should the process die, only the last moments are lost."""
    recorder = a_recorder(tmp_path)
    recorder.take(Packet(at_ms=1, kind="data", text="here"))
    recorder.write()
    with gzip.open(recorder.files[0]) as file:
        assert file.readline()
        assert b"here" in file.readline()
    recorder.close()


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FeedError, match=re.escape(f"{tmp_path}/file/x can't be made")):
        a_recorder(tmp_path / "file" / "x")


def test_a_secret_comes_from_its_file_or_its_variable(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from the file\nrest")
    assert "from the file" == read_secret("a key", "KEY", str(file), {"KEY": "from the environment"})
    assert "from the environment" == read_secret("a key", "KEY", "", {"KEY": "from the environment"})
    assert "from the environment" == read_secret("a key", "KEY", str(tmp_path / "none"), {"KEY": "from the environment"})
    with pytest.raises(MissingSecret, match="the environment variable KEY is not set; the feed needs a key there"):
        read_secret("a key", "KEY", "", {})
    with pytest.raises(MissingSecret, match=r"and the file .*none can't be read"):
        read_secret("a key", "KEY", str(tmp_path / "none"), {})


def test_a_file_of_trusted_certificates_that_is_none_is_told(tmp_path: Path) -> None:
    assert load_ca("") is None
    with pytest.raises(FeedError, match="can't be used"):
        load_ca(str(tmp_path / "none.pem"))
