"""The part of its past that a stream keeps."""

from __future__ import annotations

from collections import deque
from typing import Final

from oddsengine.streams.positions import ORIGIN

#: How many entries a stream keeps: about 30 minutes at ten flushes a second. A follower that lags more reloads the snapshot.
STREAM_ENTRIES_KEPT: Final = 20_000
#: How many bytes of batches a stream keeps, if those are fewer.
STREAM_BYTES_KEPT: Final = 64_000_000


class KeptEntries:
    """Which entries of an epoch its stream keeps: the newest, up to a number of entries and of bytes.

    Those of the epoch before are kept until this one has a quarter of that: so a stream never holds more than 1.25 times as much,
    or one batch if that is larger.

    Args:
        limit_bytes: how many bytes of batches to keep.
    """

    def __init__(self, limit_bytes: int) -> None:
        #: may be changed
        self.limit_bytes = limit_bytes
        self._sizes: deque[int] = deque()
        self._bytes = 0
        self._newest = 0
        self._keeps_earlier = True

    def add(self, seq: int, size: int) -> None:
        """Count the batch of a position, which follows the last one."""
        if seq <= self._newest:
            return  # it is written again
        self._newest = seq
        self._sizes.append(size)
        self._bytes += size
        if self._bytes > self.limit_bytes // 4 or len(self._sizes) > STREAM_ENTRIES_KEPT // 4:
            self._keeps_earlier = False
        while len(self._sizes) > 1 and (self._bytes > self.limit_bytes or len(self._sizes) > STREAM_ENTRIES_KEPT):
            self._bytes -= self._sizes.popleft()

    def oldest(self, epoch: int, snapshot: int | None = None) -> str:
        """Return the stream id of the oldest entry to keep: none is dropped that a snapshot of a position lacks."""
        if self._keeps_earlier:
            return ORIGIN.stream_id()
        dropped = self._newest - len(self._sizes)
        return f"{epoch}-{1 + (dropped if snapshot is None else min(dropped, snapshot))}"
