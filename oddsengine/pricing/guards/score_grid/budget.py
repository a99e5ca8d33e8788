"""A budget of expensive calls: a rate per second, with bursts of up to one second's worth."""

from __future__ import annotations


class Budget:
    """A token bucket. The caller passes the time.

    Args:
        per_s: how many calls a second, more than 0.
    """

    __slots__ = ("_burst", "_left", "_now_ms", "_per_s")

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._burst = max(1.0, per_s)
        self._left = self._burst
        self._now_ms = 0

    def has_one(self, now_ms: int) -> bool:
        """Check whether a call is left.

        Args:
            now_ms: Unix milliseconds; an earlier time than the last adds nothing.
        """
        if now_ms > self._now_ms:
            self._left = min(self._burst, self._left + (now_ms - self._now_ms) / 1000 * self._per_s)
            self._now_ms = now_ms
        return self._left >= 1.0

    def take(self) -> None:
        """Use a call."""
        self._left -= 1.0
