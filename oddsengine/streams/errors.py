"""Errors of the streams.

StreamError
+-- Fenced          another engine owns the shard: stop writing
+-- PositionLost    Redis no longer has our last entry: claim the shard again
+-- NoRedis         no server to start: the operator must install one or set redis.url
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oddsengine.streams.positions import Position


class StreamError(Exception):
    """Base class of these errors."""


class Fenced(StreamError):
    """Another engine has opened a later epoch on a shard.

    Args:
        shard: the shard.
        ours: our epoch.
        top: the position of the stream's last entry.
    """

    def __init__(self, shard: int, ours: int, top: Position) -> None:
        self.shard = shard
        self.top = top
        super().__init__(f"shard {shard}: another engine took over with epoch {top.epoch} (ours is {ours}); stepping down")


class PositionLost(StreamError):
    """The stream's last entry is not ours: the server lost data, or was replaced by one that lags.

    Args:
        shard: the shard.
        expected: the position of our last entry.
        top: the position of the stream's last entry.
    """

    def __init__(self, shard: int, expected: Position, top: Position) -> None:
        self.shard = shard
        super().__init__(f"shard {shard}: the stream ends at {top.stream_id()}, not at our last entry {expected.stream_id()}")


class NoRedis(StreamError):
    """No Redis server can be started."""
