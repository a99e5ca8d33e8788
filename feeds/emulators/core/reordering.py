"""Swapping neighbouring batches, for the `reorder` fault. Pure."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Reorderer(Generic[T]):
    """Holds one batch back, so that the next one overtakes it."""

    def __init__(self) -> None:
        self._held: list[T] = []

    def push(self, batch: list[T], *, swap: bool) -> list[T]:
        """Return what to send now: nothing, the batch, or the batch and the one held back, swapped or in order.

        Args:
            batch: the next batch.
            swap: whether the fault is active.
        """
        if swap and not self._held:
            self._held = batch
            return []
        held, self._held = self._held, []
        return [*batch, *held] if swap else [*held, *batch]

    def flush(self) -> list[T]:
        """Return the batch held back, if any."""
        held, self._held = self._held, []
        return held
