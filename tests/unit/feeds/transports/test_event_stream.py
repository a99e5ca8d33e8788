"""Server-sent events, split anywhere."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import BadMessage
from feeds.transports.event_stream import EventStreamReader, ServerSentEvent

STREAM = (
    b': hello\r\nevent: odds\r\nid: 1-2\r\nretry: 5000\r\ndata: {"a":1}\r\ndata: {"b":2}\r\n\r\n'
    b"data:x\n\nevent: ping\ndata: {}\r\r"
)
EXPECTED = [
    ServerSentEvent("odds", b'{"a":1}\n{"b":2}', "1-2"),
    ServerSentEvent("message", b"x", "1-2"),
    ServerSentEvent("ping", b"{}", "1-2"),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_the_split_makes_no_difference(cuts: list[int]) -> None:
    reader = EventStreamReader()
    edges = [0, *sorted(cuts), len(STREAM)]
    found = [event for begin, end in pairwise(edges) for event in reader.feed(STREAM[begin:end])]
    # The last line end may be the first half of a CRLF; only the next byte shows.
    found += reader.feed(b"\n")
    assert EXPECTED == found


def test_an_event_that_never_ends_is_refused() -> None:
    reader = EventStreamReader(max_event_bytes=100)
    with pytest.raises(BadMessage, match="over 100 bytes"):
        for _ in range(20):
            reader.feed(b"data: 0123456789\n")
