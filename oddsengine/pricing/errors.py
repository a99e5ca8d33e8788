"""Errors of pricing.

PricingError (a ValueError)
+-- MarginError    a method has no fair probabilities, or no quotes, for these numbers
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
        reason: why it has no answer.
        numbers: the odds or probabilities passed in.
        target: the sum to reach.
    """

    def __init__(self, method: str, reason: str, numbers: Sequence[float], target: float) -> None:
        self.method = method
        self.reason = reason
        self.numbers = tuple(numbers)
        self.target = target
        shown = ", ".join(f"{number:g}" for number in self.numbers)
        super().__init__(f"{method}: {reason} (numbers {shown}; target sum {target:g})")
