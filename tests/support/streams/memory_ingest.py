"""An ingest stream in memory: the rules of `ingest.lua`."""

from __future__ import annotations

from oddsengine.streams.positions import ORIGIN, Position


class MemoryIngest:
    """The entries of one feed."""

    def __init__(self) -> None:
        self.entries: list[tuple[Position, bytes]] = []

    @property
    def top(self) -> Position:
        """The position of the last entry."""
        return self.entries[-1][0] if self.entries else ORIGIN

    def append(self, at: Position, entry: bytes, *, is_late: bool) -> Position | str:
        """Append an entry. Return "OK", "LATE", or the position of the last entry if this one does not fit there."""
        if self.entries and self.entries[-1] == (at, entry):
            return "OK"
        fits = self.top.epoch < at.epoch if at.seq == 0 else self.top == Position(at.epoch, at.seq - 1)
        if not fits:
            return self.top
        if is_late:
            return "LATE"
        self.entries.append((at, entry))
        return "OK"
