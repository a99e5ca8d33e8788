"""The age of the last state read of a feed or of a shard, though its writer has another clock. Pure.

An entry is compared with the fastest one of its term or epoch: by how much it took longer, so much older is the state that it
brings. To that comes the age which that had when it was written: so what all stages add up to is known at the end.
"""

from __future__ import annotations

from typing import Final

#: By how much two clocks may drift apart: 200 millionths.
_DRIFT: Final = 2e-4


class StateAge:
    """The age of what is known, whether nothing arrives or what arrives is late.

    Args:
        now_s: monotonic seconds.
    """

    def __init__(self, now_s: float) -> None:
        #: how long the fastest entry took, by the difference of two clocks
        self._fastest_s = float("inf")
        self._measured_s = now_s
        self._as_of_s = now_s

    def age_s(self, now_s: float) -> float:
        """Return how old the state is."""
        return now_s - self._as_of_s

    def begin(self, now_s: float) -> None:
        """Count from now on: what comes next is read from its end."""
        self._as_of_s = now_s

    def forget_clock(self) -> None:
        """Forget what entries took: another process, with another clock, writes the next ones."""
        self._fastest_s = float("inf")

    def measure(self, sent_ms: int, now_s: float) -> float:
        """Return of which moment, by our clock, the state is that an entry brings.

        Args:
            sent_ms: when the oldest of what it brings to a feed was received, or when one of a shard was written; by the writer's
                clock.
            now_s: when it was read.
        """
        took_s = now_s - sent_ms / 1000
        drift_s = (now_s - self._measured_s) * _DRIFT
        self._fastest_s, self._measured_s = min(took_s, self._fastest_s + drift_s), now_s
        return now_s - (took_s - self._fastest_s)

    def note(self, as_of_s: float) -> None:
        """Note that the state of a moment is known."""
        self._as_of_s = max(self._as_of_s, as_of_s)
