"""Which WebSocket frames are recognised as unmasked, however their bytes arrive."""

from __future__ import annotations

import asyncio
import struct
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from oddsengine.gateway.server.http_connection import HttpConnection


class Owner:
    """Counts unmasked frames."""

    def __init__(self) -> None:
        self.unmasked_frames = 0

    def received(self, connection: HttpConnection) -> None: ...

    def unmasked(self, _connection: HttpConnection) -> None:
        self.unmasked_frames += 1

    def unreadable(self, connection: HttpConnection) -> None: ...

    def failed(self, connection: HttpConnection, problem: Exception) -> None: ...

    def lost(self, connection: HttpConnection) -> None: ...


def frame(size: int, *, masked: bool = True) -> bytes:
    """Return a binary frame of a payload that looks like unmasked frames."""
    bit = 0x80 if masked else 0
    if size < 126:
        head = bytes((0x82, bit | size))
    elif size < 65536:
        head = bytes((0x82, bit | 126)) + struct.pack("!H", size)
    else:
        head = bytes((0x82, bit | 127)) + struct.pack("!Q", size)
    return head + (b"mask" if masked else b"") + bytes(size)


def unmasked_in(chunks: list[bytes]) -> int:
    """Return how many unmasked frames a connection has found in what arrived; it stops at the first."""
    owner = Owner()
    manager: Any = SimpleNamespace(request_handler=None, request_factory=None)
    loop = asyncio.new_event_loop()
    try:
        connection = HttpConnection(manager, owner, "", loop)
        connection.expect_frames()
        # The bytes go nowhere: aiohttp ignores them once a connection is being closed.
        connection.force_close()
        for chunk in chunks:
            connection.data_received(chunk)
            if owner.unmasked_frames:
                break
    finally:
        loop.close()
    return owner.unmasked_frames


sizes = st.sampled_from([0, 1, 2, 13, 14, 125, 126, 127, 300, 65535, 65536, 70_000])


@given(st.lists(sizes, max_size=6), st.lists(st.integers(1, 40), min_size=1, max_size=30), st.booleans(), sizes)
@example([], [1], True, 0)
def test_an_unmasked_frame_is_found_whatever_comes_before_it_and_however_it_is_cut(
    before: list[int], cuts: list[int], last_is_masked: bool, last: int
) -> None:
    data = b"".join(frame(size) for size in before) + frame(last, masked=last_is_masked)
    chunks, start = [], 0
    for cut in cuts:
        chunks.append(data[start : start + cut])
        start += cut
    chunks.append(data[start:])
    assert (not last_is_masked) == unmasked_in([chunk for chunk in chunks if chunk])
