"""Packets: what is recorded, and what never is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BadMessage
from feeds.recording.packet import data_packet, decode_header, decode_packet, encode_line, response_packet
from feeds.transports.http import Request, Response


@given(st.binary(max_size=200), st.integers(0, 2**53))
def test_bytes_survive_encoding(data: bytes, at_ms: int) -> None:
    line = encode_line(data_packet(at_ms, data))
    assert b"\n" not in line
    packet = decode_packet(line)
    assert (at_ms, data) == (packet.at_ms, packet.body)


@given(st.binary(max_size=200), st.integers(0, 2**53))
def test_responses_survive_encoding(body: bytes, at_ms: int) -> None:
    response = Response(request=Request(name="odds", url="/x", key="k"), status=200, at_ms=at_ms, body=body)
    assert response == decode_packet(encode_line(response_packet(response))).response


def test_a_secret_response_is_recorded_as_its_stand_in_and_without_the_body_of_its_request() -> None:
    request = Request(name="login", url="/login", method="POST", body=b"password=hunter2", stand_in=b'{"token":"redacted"}')
    response = Response(request=request, status=200, at_ms=1, body=b'{"token":"secret"}')
    line = encode_line(response_packet(response))
    assert b"hunter2" not in line
    assert b"secret" not in line
    assert b'{"token":"redacted"}' == decode_packet(line).body


@pytest.mark.parametrize("line", [b"", b"{}", b'{"at_ms":1,"kind":"dance"}', b"\xff"])
def test_a_line_that_is_not_a_packet_is_a_bad_message(line: bytes) -> None:
    with pytest.raises(BadMessage, match="packet"):
        decode_packet(line)


def test_a_header_is_recognised_by_its_version_key() -> None:
    assert decode_header(b'{"op":"mcm"}') is None
    with pytest.raises(BadMessage, match="header"):
        decode_header(b'{"oddsengine_recording":1}')
