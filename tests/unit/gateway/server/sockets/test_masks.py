"""Which WebSocket frames are recognised as unmasked, however their bytes arrive."""

from __future__ import annotations

import struct

from hypothesis import example, given
from hypothesis import strategies as st

from oddsengine.gateway.server.sockets.masks import Masks


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


def has_unmasked(chunks: list[bytes]) -> bool:
    """Check whether an unmasked frame is found in what arrived; nothing is checked after the first."""
    masks = Masks()
    return not all(masks.are_set(chunk) for chunk in chunks)


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
    assert (not last_is_masked) == has_unmasked([chunk for chunk in chunks if chunk])
