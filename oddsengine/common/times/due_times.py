"""Which of many things are due, without a look at those that are not."""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=str)


class DueTimes(Generic[Key]):
    """The time at which each of many things is next due, Unix milliseconds."""

    def __init__(self) -> None:
        self._times_ms: dict[Key, float] = {}
        #: each key once, at its own time or an earlier one; entries of forgotten keys are dropped when their time comes
        self._queue: list[tuple[float, Key]] = []
        self._queued_ms: dict[Key, float] = {}

    def put(self, key: Key, due_ms: float) -> None:
        """Set when a thing is due, whatever was set before. Infinity: never."""
        if due_ms == inf:
            self.forget(key)
            return
        self._times_ms[key] = due_ms
        if due_ms < self._queued_ms.get(key, inf):
            self._queued_ms[key] = due_ms
            heappush(self._queue, (due_ms, key))

    def take(self, now_ms: float) -> list[Key]:
        """Return the things that are due by now, and forget them."""
        due: list[Key] = []
        while self._queue and self._queue[0][0] <= now_ms:
            queued_ms, key = heappop(self._queue)
            if self._queued_ms.get(key) != queued_ms:
                continue  # it was queued again, for earlier
            del self._queued_ms[key]
            due_ms = self._times_ms.pop(key, inf)
            if due_ms <= now_ms:
                due.append(key)
            else:
                self.put(key, due_ms)
        return due

    def forget(self, key: Key) -> None:
        """Drop a thing that is gone."""
        self._times_ms.pop(key, None)
