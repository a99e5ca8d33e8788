"""The faults that emulated providers inject, for a while or once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

#: kind -> what it does; each server supports a subset
KINDS: Final[dict[str, str]] = {
    "drop": "close every connection, and refuse new ones while it lasts",
    "half_open": "send nothing at all, not even heartbeats; connections stay open",
    "stall": "answer pings, heartbeats and requests, but send no new data",
    "drip": "send a few bytes at a time",
    "garbage": "send bytes that are not a message",
    "truncate": "send half a message, then close",
    "duplicate": "send every message twice",
    "reorder": "send messages out of order",
    "restart": "restart: earlier cursors, clocks and history are unknown",
    "refuse_clk": "refuse to resume",
    "busy": "report that it is behind (status 503) and send no data",
    "segment": "send images in segments",
    "image": "send an unrequested image",
    "gap": "delay snapshots by half a second while the stream continues",
    "http_429": "answer requests with 429 and Retry-After",
    "http_429_date": "answer requests with 429 and a date as Retry-After",
    "oversized": "answer requests with 200 and two megabytes of blanks",
    "page": "answer requests with 200 and a page that is not JSON",
    "bad_line": "quote a line that is not a number",
    "http_500": "answer requests with 500",
    "http_timeout": "answer no request",
    "skew": "set the clock back by three minutes",
    "quota": "run out of credits",
    "unauthorised": "reject the key",
}
#: kinds that happen once
ONCE: Final = frozenset({"garbage", "truncate", "restart", "image"})
#: How far `skew` sets the clock back.
SKEW_MS: Final = 180_000
_POLL_S: Final = 0.02

_log = structlog.get_logger(__name__)


class Faults:
    """The faults active at one server.

    Args:
        clock: monotonic seconds.
        kinds: the kinds the server supports.
    """

    def __init__(self, clock: Callable[[], float], kinds: frozenset[str]) -> None:
        self._clock = clock
        self.kinds = kinds
        self._until: dict[str, float] = {}

    def begin(self, kind: str, seconds: float) -> None:
        """Start a fault for a while; `seconds` 0 ends it.

        Raises:
            ValueError: if the server does not support it.
        """
        if kind not in self.kinds:
            raise ValueError(f"unknown fault {kind!r}; supported are {', '.join(sorted(self.kinds))}")
        _log.info("fault injected", kind=kind, seconds=seconds)
        self._until[kind] = self._clock() + seconds

    def is_active(self, kind: str) -> bool:
        """Check whether a fault is active now."""
        return self._clock() < self._until.get(kind, float("-inf"))

    async def wait_until_over(self, kind: str) -> None:
        """Wait until a fault has ended. May be cancelled."""
        while self.is_active(kind):  # noqa: ASYNC110 - it ends by the clock, so no event could be set
            await asyncio.sleep(_POLL_S)
