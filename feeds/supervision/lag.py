"""Measures how far a provider's messages are behind, by the provider's own clock and regardless of its offset.

Timestamps alone can't separate one-way delay from clock skew. They do show how much later a message is than the promptest recent
one (the minimum filter of NTP's clock filter, RFC 5905 section 10). An ordered stream can fall behind only as fast as time
passes, so publish times that step backwards mean that the provider's clock was set: the estimate starts over.
"""

from __future__ import annotations

from typing import Final

#: The skew is the minimum offset of the current and the previous window, so it is based on at most twice this time.
WINDOW_MS: Final = 150_000
#: A publish time further back than this means that the clock was set. Less can be two servers taking turns.
STEP_MS: Final = 2_000


class LagMeter:
    """Measures the lag of one source.

    Attributes:
        lag_ms: the lag of the last message, in milliseconds.
        steps: how often the provider's clock was set back.
    """

    def __init__(self) -> None:
        self.lag_ms = 0
        self.steps = 0
        self._min_offset: int | None = None
        self._previous_min_offset: int | None = None
        self._window_began_ms = 0
        self._newest_ms = 0

    @property
    def skew_ms(self) -> int | None:
        """The lead of our clock over the provider's, including the fastest delivery; None before the first message."""
        known = [offset for offset in (self._min_offset, self._previous_min_offset) if offset is not None]
        return min(known, default=None)

    def observe(self, published_ms: int, received_ms: int) -> int:
        """Return the lag of a message in milliseconds, given its two times (Unix milliseconds, each by its own clock)."""
        offset = received_ms - published_ms
        if published_ms < self._newest_ms - STEP_MS:
            self.steps += 1
            self._min_offset = self._previous_min_offset = None
            self._newest_ms = published_ms
        self._newest_ms = max(self._newest_ms, published_ms)
        if self._min_offset is None or offset < self._min_offset:
            if self._min_offset is None:
                self._window_began_ms = received_ms
            self._min_offset = offset
        elif received_ms - self._window_began_ms > WINDOW_MS:
            self._previous_min_offset, self._min_offset, self._window_began_ms = self._min_offset, offset, received_ms
        self.lag_ms = offset - (self.skew_ms or 0)
        return self.lag_ms
