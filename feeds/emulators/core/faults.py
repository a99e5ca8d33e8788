"""What an emulated provider can do wrong, for a while or once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

#: kind -> what it does; those of them that a server understands are named by it
KINDS: Final[dict[str, str]] = {
    "drop": "close every connection, and each new one at once while it lasts",
    "half_open": "say nothing at all, not even a heartbeat, with connections left open",
    "stall": "answer pings, heartbeats and requests, but tell nothing new",
    "drip": "send a few bytes at a time",
    "garbage": "send what is no message",
    "truncate": "send half a message, then close",
    "duplicate": "send every message twice",
    "reorder": "send messages the wrong way round",
    "restart": "start anew: cursors, clocks and histories of before are unknown",
    "refuse_clk": "refuse to resume",
    "busy": "say that it is behind (status 503) and send no data",
    "segment": "send images in segments",
    "image": "send an image that nobody asked for",
    "gap": "send snapshots that are half a second old when they arrive, while the stream goes on",
    "http_429": "answer requests with 429 and Retry-After",
    "http_500": "answer requests with 500",
    "http_timeout": "answer no request",
    "skew": "tell the time three minutes wrong",
    "quota": "have no credits left",
    "unauthorised": "refuse the key",
}
#: kinds that happen once
ONCE: Final = frozenset({"garbage", "truncate", "restart", "image"})

_log = structlog.get_logger(__name__)


class Mischief:
    """What goes on at one server.

    Args:
        clock: monotonic seconds.
        kinds: those that the server understands.
    """

    def __init__(self, clock: Callable[[], float], kinds: frozenset[str]) -> None:
        self._clock = clock
        self.kinds = kinds
        self._until: dict[str, float] = {}

    def begin(self, kind: str, seconds: float) -> None:
        """Let something go wrong for a while; `seconds` 0 ends it.

        Raises:
            ValueError: if the server does not understand it.
        """
        if kind not in self.kinds:
            raise ValueError(f"no such mischief {kind!r}; there are {', '.join(sorted(self.kinds))}")
        _log.info("misbehaving", kind=kind, seconds=seconds)
        self._until[kind] = self._clock() + seconds

    def is_on(self, kind: str) -> bool:
        """Tell whether something is going wrong now."""
        return self._clock() < self._until.get(kind, float("-inf"))

    async def over(self, kind: str) -> None:
        """Wait until it is over."""
        while self.is_on(kind):  # noqa: ASYNC110 - it ends by the clock; nobody could tell an event
            await asyncio.sleep(0.02)
