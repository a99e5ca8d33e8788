"""The `supervision` table that the config block of every feed may contain."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

_Seconds = Annotated[float, Meta(gt=0, le=86_400)]
_SecondsOrNever = Annotated[float, Meta(ge=0, le=86_400)]


class Supervision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits and waits of one feed, in seconds. A limit of 0, where allowed, is never reached.

    Attributes:
        connect_timeout_s: limit for opening a connection.
        recovery_timeout_s: limit for completing a recovery.
        quiet_in_play_s: how long the feed may send no change while a market is in play.
        quiet_s: the same while no market is in play.
        lag_limit_s: how late messages may be.
        backoff_start_s: first ceiling of the random wait after a failure; it doubles with every further failure.
        backoff_ceiling_s: highest ceiling of the wait.
        breaker_failures: failures in a row after which only probes are allowed.
        breaker_probe_s: seconds between probes.
        max_response_mb: how large an HTTP response may be, in millions of bytes once decompressed.
    """

    connect_timeout_s: _Seconds = 10.0
    recovery_timeout_s: _Seconds = 300.0
    quiet_in_play_s: _SecondsOrNever = 60.0
    quiet_s: _SecondsOrNever = 0.0
    lag_limit_s: _SecondsOrNever = 5.0
    backoff_start_s: _Seconds = 0.25
    backoff_ceiling_s: _Seconds = 30.0
    breaker_failures: Annotated[int, Meta(ge=1)] = 8
    breaker_probe_s: _Seconds = 60.0
    max_response_mb: Annotated[float, Meta(gt=0, le=1_000)] = 64.0
