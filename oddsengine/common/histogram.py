"""A histogram as Prometheus defines one, cheap to observe."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Histogram:
    """Counts observations in buckets. `observe` adds to one integer and one float.

    Args:
        bounds: the upper bound of each bucket, inclusive and ascending. Larger values have a bucket of their own.
    """

    __slots__ = ("_bounds", "_counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        #: the sum of all observed values
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Return each upper bound with the number of values up to it; the last bound is "+Inf"."""
        found: list[tuple[str, float]] = []
        count = 0
        for bound, in_bucket in zip((*self._bounds, float("inf")), self._counts, strict=True):
            count += in_bucket
            found.append(("+Inf" if bound == float("inf") else repr(bound), count))
        return found
