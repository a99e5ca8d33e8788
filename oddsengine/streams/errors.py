"""What can go wrong between us and Redis.

StreamError
+-- Fenced          another engine owns the shard now: stop writing
+-- PositionLost    Redis no longer holds what we wrote last: claim the shard anew
+-- NoRedis         no server to start: the operator must install one or give a URL
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oddsengine.streams.positions import Position


class StreamError(Exception):
    """Any trouble with the streams."""


class Fenced(StreamError):
    """Another owner has opened a later epoch.

    Args:
        shard: the shard.
        ours: the epoch we wrote in.
        top: the stream's top position.
    """

    def __init__(self, shard: int, ours: int, top: Position) -> None:
        self.shard = shard
        self.top = top
        super().__init__(f"shard {shard}: another engine took over with epoch {top.epoch} (ours is {ours}); stepping down")


class PositionLost(StreamError):
    """The stream's top is not what we wrote last: the server lost data, or was replaced by one that lags.

    Args:
        shard: the shard.
        expected: the position we wrote last.
        top: the stream's top position.
    """

    def __init__(self, shard: int, expected: Position, top: Position) -> None:
        self.shard = shard
        super().__init__(f"shard {shard}: the stream stands at {top.stream_id()}, not at {expected.stream_id()} as we left it")


class NoRedis(StreamError):
    """There is no Redis to start."""
