"""Counters of one gateway process."""

from __future__ import annotations

from typing import Final

from oddsengine.common.histogram import Histogram

#: The median is a few milliseconds, the limit of the service half a second.
_SUSPENSION_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_DELIVERY_BOUNDS_S: Final = (0.001, 0.002, *_SUSPENSION_BOUNDS_S)


class GatewayCounters:
    """Counts of what the gateway has done since it started; read by the metrics."""

    __slots__ = (
        "bad_messages",
        "bytes",
        "catch_ups",
        "deltas",
        "expired",
        "frames",
        "opened",
        "over_limit",
        "publish_to_socket_seconds",
        "refused_channels",
        "resumed",
        "slow_consumer_disconnects",
        "slow_consumers",
        "snapshots",
        "suspension_seconds",
    )

    def __init__(self) -> None:
        self.opened = 0
        self.frames = 0
        self.bytes = 0
        self.deltas = 0
        self.snapshots = 0
        self.resumed = 0
        self.slow_consumers = 0
        self.catch_ups = 0
        self.bad_messages = 0
        self.over_limit = 0
        self.refused_channels = 0
        self.expired = 0
        self.slow_consumer_disconnects = 0
        #: of each flush with suspensions: the time from its stream entry until it was written to the last socket
        self.suspension_seconds = Histogram(_SUSPENSION_BOUNDS_S)
        #: of each batch: the time from its first stream entry until it was written to the last socket
        self.publish_to_socket_seconds = Histogram(_DELIVERY_BOUNDS_S)
