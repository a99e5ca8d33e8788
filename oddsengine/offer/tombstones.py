"""The latest removals of a shard, kept so that a position before one of them still has a diff."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from oddsengine.domain.changes import Removal, Tombstone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Tombstones:
    """The latest removals of a shard, oldest first, and the oldest position they cover (`oldest_diffable`).

    Args:
        limit: how many to keep.
    """

    def __init__(self, limit: int) -> None:
        self.oldest_diffable = 0
        #: newest position at which anything was removed
        self.newest = 0
        self._limit = limit
        self._tombstones: deque[Tombstone] = deque()
        #: (what, id) -> position of its newest removal
        self._removed_at: dict[tuple[str, str], int] = {}
        self._dropped: list[Tombstone] = []

    def __iter__(self) -> Iterator[Tombstone]:
        return iter(self._tombstones)

    def clear(self) -> None:
        """Remove all tombstones, for a new epoch: every position of it has a diff."""
        self.oldest_diffable = self.newest = 0
        self._tombstones.clear()
        self._removed_at.clear()
        self._dropped.clear()

    def load(self, tombstones: Iterable[Tombstone], oldest_diffable: int) -> None:
        """Replace the contents by the tombstones of a snapshot."""
        self.clear()
        self.oldest_diffable = oldest_diffable
        for tombstone in sorted(tombstones, key=lambda tombstone: tombstone.at):
            self.add(tombstone.removal, tombstone.at)

    def add(self, removal: Removal, seq: int) -> None:
        """Add a removal at a position, which is not before that of any other."""
        self._tombstones.append(Tombstone(removal, seq))
        self._removed_at[removal.kind, removal.id] = self.newest = seq

    def drop_oldest(self) -> None:
        """Drop the oldest tombstones over the limit. Call it only once their batch is made, or the batch would lack them."""
        while len(self._tombstones) > self._limit:
            dropped = self._tombstones.popleft()
            self.oldest_diffable = dropped.at
            key = (dropped.removal.kind, dropped.removal.id)
            if self._removed_at.get(key) == dropped.at:
                del self._removed_at[key]
                self._dropped.append(dropped)

    def take_dropped(self) -> list[Tombstone]:
        """Return the tombstones dropped since the last call, without those that a newer removal of the same id replaces."""
        dropped, self._dropped = self._dropped, []
        return [each for each in dropped if (each.removal.kind, each.removal.id) not in self._removed_at]

    def since(self, seq: int) -> Iterator[Removal]:
        """Yield the removals after a position, newest first."""
        for tombstone in reversed(self._tombstones):
            if tombstone.at <= seq:
                return
            yield tombstone.removal
