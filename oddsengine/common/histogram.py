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
        counts: what was observed before, by bucket.
        total: the sum of what was observed before.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float], counts: Sequence[int] = (), total: float = 0.0) -> None:
        self.bounds = tuple(bounds)
        self.counts = list(counts) or [0] * (len(self.bounds) + 1)
        #: the sum of all observed values
        self.total = total

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def merged_with(self, other: Histogram) -> Histogram:
        """Return what both have observed. They have the same bounds."""
        return Histogram(
            self.bounds, [one + two for one, two in zip(self.counts, other.counts, strict=True)], self.total + other.total
        )

    def buckets(self) -> list[tuple[str, float]]:
        """Return each upper bound with the number of values up to it; the last bound is "+Inf"."""
        found: list[tuple[str, float]] = []
        count = 0
        for bound, in_bucket in zip((*self.bounds, float("inf")), self.counts, strict=True):
            count += in_bucket
            found.append(("+Inf" if bound == float("inf") else repr(bound), count))
        return found
