"""Removals remembered, so that a position from before one still has a diff."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from oddsengine.domain.changes import Removal, Tombstone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Tombstones:
    """The newest removals of a shard, and the oldest position (`floor`) they reach back to.

    Args:
        kept: how many to remember.
    """

    def __init__(self, kept: int) -> None:
        self.floor = 0
        #: the newest position at which anything was removed
        self.newest = 0
        self._kept = kept
        self._buried: deque[Tombstone] = deque()
        #: (what, id) -> the position of its newest removal
        self._newest: dict[tuple[str, str], int] = {}
        self._dropped: list[Tombstone] = []

    def __iter__(self) -> Iterator[Tombstone]:
        return iter(self._buried)

    def clear(self) -> None:
        """Begin anew, as a new epoch does."""
        self.floor = self.newest = 0
        self._buried.clear()
        self._newest.clear()
        self._dropped.clear()

    def load(self, tombstones: Iterable[Tombstone], floor: int) -> None:
        """Take over what a snapshot remembers."""
        self.clear()
        self.floor = floor
        for tombstone in sorted(tombstones, key=lambda tombstone: tombstone.at):
            self.bury(tombstone.removal, tombstone.at)

    def bury(self, removal: Removal, seq: int) -> None:
        """Remember a removal at a position."""
        self._buried.append(Tombstone(removal, seq))
        self._newest[removal.what, removal.id] = self.newest = seq

    def forget_oldest(self) -> None:
        """Drop those over the number kept; only once they were told, or a batch would lack them."""
        while len(self._buried) > self._kept:
            dropped = self._buried.popleft()
            self.floor = dropped.at
            key = (dropped.removal.what, dropped.removal.id)
            if self._newest.get(key) == dropped.at:
                del self._newest[key]
                self._dropped.append(dropped)

    def take_dropped(self) -> list[Tombstone]:
        """Hand over those dropped since the last call that nothing newer replaces."""
        dropped, self._dropped = self._dropped, []
        return dropped

    def since(self, seq: int) -> Iterator[Removal]:
        """Give the removals after a position, newest first."""
        for tombstone in reversed(self._buried):
            if tombstone.at <= seq:
                return
            yield tombstone.removal
