"""Settings of a hub."""

from __future__ import annotations

from typing import NamedTuple

from oddsengine.gateway.fanout.thresholds import Thresholds


class HubSettings(NamedTuple):
    """Settings of a hub.

    - `heartbeat_ms`: how long a session may be sent nothing.
    - `profile`: the profile of clients whose token names none; None for the first.
    - `slow_client_timeout_s`: how long a socket may make no progress before it is closed.
    - `history_ms`: how long prices that were on offer are kept.
    - `stale_suspend_after_s`: how old what is known of a shard may be before its markets are suspended for clients;
      0: never.
    - `thresholds`: from which sizes work is split.
    """

    heartbeat_ms: int = 5000
    profile: str | None = None
    slow_client_timeout_s: float = 30.0
    history_ms: int = 0
    stale_suspend_after_s: float = 0.0
    thresholds: Thresholds = Thresholds()
