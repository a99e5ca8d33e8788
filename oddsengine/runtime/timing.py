"""Intervals of a running service. They are arguments, so that a test need not wait as long as an operator would."""

from __future__ import annotations

import msgspec

from oddsengine.engine.ownership.shard_writer import HEARTBEAT_S, LAST_WRITE_S
from oddsengine.streams.connection import SOCKET_TIMEOUT_S
from oddsengine.streams.follower import STALE_AFTER_S


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Intervals of a service, in seconds.

    Attributes:
        heartbeat_s: how often an idle owner of a shard writes.
        stale_after_s: how long a shard may be silent before it counts as stale; several heartbeats.
        socket_timeout_s: of Redis clients; above the longest blocking read, below `stale_after_s`.
        last_write_s: how long an engine that stops tries to write that every market is suspended; its gateways suspend them
            by themselves soon after.
        certificate_check_s: how often the files of the certificate are checked for changes.
        command_wait_s: how long the answer to a command waits for the owners of the shards that it concerns.
    """

    heartbeat_s: float = HEARTBEAT_S
    stale_after_s: float = STALE_AFTER_S
    socket_timeout_s: float = SOCKET_TIMEOUT_S
    last_write_s: float = LAST_WRITE_S
    certificate_check_s: float = 5.0
    command_wait_s: float = 1.0


DEFAULT_TIMING = Timing()
