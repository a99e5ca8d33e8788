"""What a hub counts."""

from __future__ import annotations


class HubCounters:
    """What the hub has done since it started; read by the metrics."""

    __slots__ = (
        "bad_messages",
        "bytes",
        "catch_ups",
        "deltas",
        "expired",
        "fell_behind",
        "frames",
        "opened",
        "over_limit",
        "resumed",
        "snapshots",
        "stalled",
        "suspended",
        "suspended_s",
        "suspended_worst_s",
    )

    def __init__(self) -> None:
        self.opened = 0
        self.frames = 0
        self.bytes = 0
        self.deltas = 0
        self.snapshots = 0
        self.resumed = 0
        self.fell_behind = 0
        self.catch_ups = 0
        self.bad_messages = 0
        self.over_limit = 0
        self.expired = 0
        self.stalled = 0
        #: flushes with suspensions that were written out, and the seconds from stream entry to the last socket: all and the most
        self.suspended = 0
        self.suspended_s = 0.0
        self.suspended_worst_s = 0.0

    def note_suspension(self, seconds: float) -> None:
        """Count a flush with suspensions that took so many seconds from the stream to the last socket."""
        self.suspended += 1
        self.suspended_s += seconds
        self.suspended_worst_s = max(self.suspended_worst_s, seconds)
