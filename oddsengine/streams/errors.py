"""Errors of the streams.

StreamError
+-- Fenced          another engine owns the shard: stop writing
+-- Overtaken       another engine wrote while the shard was being taken over: load it again
+-- DataLost        Redis has lost what we have written: claim the shard again
|   +-- PositionLost    our last entry
|   +-- SnapshotLost    the snapshot, or a part of it
+-- UnsuitableRedis the server, or what it holds, does not fit: the operator must change the config
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


class Overtaken(StreamError):
    """Entries were written to a shard after those that a new owner has taken into account.

    Args:
        shard: the shard.
        expected: the last entry that it has.
        top: the position of the stream's last entry.
    """

    def __init__(self, shard: int, expected: Position, top: Position) -> None:
        self.shard = shard
        self.top = top
        super().__init__(f"shard {shard}: the stream ends at {top.stream_id()}, not at {expected.stream_id()} as it was loaded")


class DataLost(StreamError):
    """Redis has lost what was written. Base class of its kinds."""


class PositionLost(DataLost):
    """The stream's last entry is not ours: the server lost data, or was replaced by one that lags.

    Args:
        shard: the shard.
        expected: the position of our last entry.
        top: the position of the stream's last entry.
    """

    def __init__(self, shard: int, expected: Position, top: Position) -> None:
        self.shard = shard
        super().__init__(f"shard {shard}: the stream ends at {top.stream_id()}, not at our last entry {expected.stream_id()}")


class SnapshotLost(DataLost):
    """The snapshot is not what we have written: records, or all of it, are gone, or it is of another position.

    Args:
        shard: the shard.
        expected: the position of our last entry.
    """

    def __init__(self, shard: int, expected: Position) -> None:
        self.shard = shard
        super().__init__(f"shard {shard}: the snapshot is not complete, or not of our last entry {expected.stream_id()}")


class TooLate(StreamError):
    """A batch was on its way to Redis for too long, and was refused.

    Args:
        shard: the shard.
        position: of the batch.
    """

    def __init__(self, shard: int, position: Position) -> None:
        self.shard = shard
        super().__init__(f"shard {shard}: {position.stream_id()} reached Redis too late")


class UnsuitableRedis(StreamError):
    """A server, or what it holds, that this process can't work with. The message says what to change."""


class NoRedis(StreamError):
    """No Redis server can be started."""
