"""What pricing refuses, and why.

PricingError (a ValueError)
+-- MarginError    these numbers have no fair probabilities, or no quotes, by this method
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class PricingError(ValueError):
    """Numbers that can't be priced."""


class MarginError(PricingError):
    """A method of removing or applying margin has no answer for a market's numbers.

    Args:
        method: the method.
        reason: why it has none.
        numbers: the odds or probabilities it was given.
        target: the sum it was to reach.
    """

    def __init__(self, method: str, reason: str, numbers: Sequence[float], target: float) -> None:
        self.method = method
        self.reason = reason
        self.numbers = tuple(numbers)
        self.target = target
        shown = ", ".join(f"{number:g}" for number in self.numbers)
        super().__init__(f"{method}: {reason} (numbers {shown}; target sum {target:g})")
