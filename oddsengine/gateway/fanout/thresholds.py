"""The sizes from which work is split, so that others get their turn in between."""

from __future__ import annotations

from typing import NamedTuple

from oddsengine.gateway.protocol.chunking import ChunkLimits


class Thresholds(NamedTuple):
    """Limits above which work is split.

    - `large_flush`: with more market changes than this, a turn of the event loop passes before they are encoded, and another
      before they are written.
    - `large_channel`: with more markets to encode than this, a snapshot or diff is encoded in time slices. As many are
      encoded in about a millisecond.
    - `suspensions_per_batch`: a flush with more suspensions than this is encoded and written in batches of this size.
    - `chunks`: when a message is split.
    """

    large_flush: int = 50
    large_channel: int = 300
    suspensions_per_batch: int = 500
    chunks: ChunkLimits = ChunkLimits()
