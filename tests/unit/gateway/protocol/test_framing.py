"""Frames as a client reads them (RFC 6455, section 5.2; RFC 7692, section 7.2.2)."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oddsengine.gateway.protocol.framing import TEXT, Framing, close_frame, event, frame, pong_frame

payloads = st.binary(max_size=200) | st.binary(min_size=1, max_size=40).map(lambda piece: piece * 4000)


def read_frame(data: bytes, deflate_bits: int = 0) -> tuple[int, bytes]:
    """Return the opcode and the payload of the one frame in `data`."""
    assert data[0] & 0x80, "FIN"
    assert not data[1] & 0x80, "a server's frames are not masked"
    length, start = data[1], 2
    if length == 126:
        length, start = int.from_bytes(data[2:4], "big"), 4
        assert length > 125, "the shortest form of a length is used"
    elif length == 127:
        length, start = int.from_bytes(data[2:10], "big"), 10
        assert length > 0xFFFF, "the shortest form of a length is used"
    payload = data[start:]
    assert length == len(payload)
    if data[0] & 0x40:
        payload = zlib.decompressobj(-deflate_bits).decompress(payload + b"\x00\x00\xff\xff")
    return data[0] & 0x0F, payload


@given(payload=payloads, text=st.booleans(), deflate_bits=st.sampled_from([0, *range(8, 16)]))
@example(payload=b"x" * 125, text=True, deflate_bits=0)
@example(payload=b"x" * 126, text=True, deflate_bits=0)
@example(payload=b"x" * 0xFFFF, text=True, deflate_bits=0)
@example(payload=b"x" * 0x10000, text=True, deflate_bits=0)
def test_a_client_reads_what_was_framed(payload: bytes, text: bool, deflate_bits: int) -> None:
    wrapped = Framing(is_text=text, deflate_bits=deflate_bits).wrap(payload, at="ignored")
    assert frame(payload, text=text, deflate_bits=deflate_bits) == wrapped
    assert (1 if text else 2, payload) == read_frame(wrapped, deflate_bits)


def test_short_messages_and_tiny_windows_are_not_compressed() -> None:
    assert not frame(b"x" * 127, deflate_bits=15)[0] & 0x40
    assert frame(b"x" * 128, deflate_bits=15)[0] & 0x40
    assert not frame(b"x" * 128, deflate_bits=8)[0] & 0x40, "zlib cannot use a window of 256 bytes"


@given(payload=st.binary(max_size=125))
def test_a_pong_carries_the_payload_of_its_ping(payload: bytes) -> None:
    assert (10, payload) == read_frame(pong_frame(payload))


@pytest.mark.parametrize("reason", ["", "drain", "x" * 200])
def test_a_closing_frame_fits_a_control_frame(reason: str) -> None:
    opcode, payload = read_frame(close_frame(4429, reason))
    assert (8, 4429, reason[:123].encode()) == (opcode, int.from_bytes(payload[:2], "big"), payload[2:])
    assert len(payload) <= 125


@given(payload=st.text(st.characters(blacklist_categories=["Cc", "Cs"])), at=st.none() | st.text("0123456789:,", min_size=1))
def test_an_event_is_one_chunk_with_its_position_as_id(payload: str, at: str | None) -> None:
    for chunk in (event(payload.encode(), at), Framing(are_events=True).wrap(payload.encode(), at)):
        size, _, rest = chunk.partition(b"\r\n")
        text, end = rest[: int(size, 16)].decode(), rest[int(size, 16) :]
        assert b"\r\n" == end
        assert ("" if at is None else f"id: {at}\n") + f"data: {payload}\n\n" == text
        assert text.encode() == Framing(are_events=True, are_chunks=False).wrap(payload.encode(), at)


def test_equal_framings_are_one_key() -> None:
    assert Framing() == TEXT
    assert 1 == len({Framing(True, 12), Framing(True, 12)})


@pytest.mark.parametrize("reason", ["é" * 200, "aé" * 200, "x" * 200, "😀" * 90])
def test_a_reason_is_cut_between_characters(reason: str) -> None:
    payload = close_frame(4400, reason)[4:]
    assert 119 < len(payload) <= 123
    assert reason.startswith(payload.decode())
