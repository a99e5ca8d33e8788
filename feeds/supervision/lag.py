"""How far behind a provider's messages are, by the provider's own clock, whatever that clock is off by.

One-way delay can't be told from clock skew by timestamps alone; what can be told is how much later than the promptest recent
message one comes (the minimum filter of NTP's clock filter, RFC 5905 section 10). A stream in order can fall behind only as
fast as time passes, so publish times that step backwards mean that the provider's clock was set: the estimate begins anew.
"""

from __future__ import annotations

from typing import Final

#: The skew is the least offset of the present and the last window: messages are compared with ones at most this old, twice over.
WINDOW_MS: Final = 150_000
#: Publish times that go back further than this were told by a clock that was set; less is two servers taking turns.
STEP_MS: Final = 2_000


class LagMeter:
    """Measures one source's lag.

    `skew_ms` is what our clock seems to be ahead of the provider's, with the promptest delivery in it; `steps` counts how often
    the provider's clock was set back.
    """

    def __init__(self) -> None:
        self.lag_ms = 0
        self.steps = 0
        self._least: int | None = None
        self._last_least: int | None = None
        self._window_began_ms = 0
        self._newest_ms = 0

    @property
    def skew_ms(self) -> int | None:
        """The least offset of late; None before the first message."""
        known = [least for least in (self._least, self._last_least) if least is not None]
        return min(known, default=None)

    def observe(self, published_ms: int, received_ms: int) -> int:
        """Take a message's two times (Unix milliseconds, each by its own clock) and give its lag in milliseconds."""
        offset = received_ms - published_ms
        if published_ms < self._newest_ms - STEP_MS:
            self.steps += 1
            self._least = self._last_least = None
            self._newest_ms = published_ms
        self._newest_ms = max(self._newest_ms, published_ms)
        if self._least is None or offset < self._least:
            if self._least is None:
                self._window_began_ms = received_ms
            self._least = offset
        elif received_ms - self._window_began_ms > WINDOW_MS:
            self._last_least, self._least, self._window_began_ms = self._least, offset, received_ms
        self.lag_ms = offset - (self.skew_ms or 0)
        return self.lag_ms
