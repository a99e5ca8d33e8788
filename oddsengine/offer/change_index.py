"""Events on offer, least recently changed first: whoever asks what changed looks at those that did and no further."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oddsengine.domain.changes import EventDescription, EventRecord, MarketRecord
    from oddsengine.domain.ids import MarketId

#: The scope of every event.
ALL = ""


class EventEntry:
    """An event on offer, with its markets, and the position at which anything of it last changed (`touched`).

    `channels` are those that tell of it, besides one for each of its markets: its own, its `sport`'s, its `competition`'s.
    """

    __slots__ = ("channels", "competition", "markets", "record", "sport", "touched")

    def __init__(self, record: EventRecord) -> None:
        self.record = record
        self.markets: dict[MarketId, MarketRecord] = {}
        self.touched = 0
        self.describe(record.description)

    def describe(self, description: EventDescription) -> None:
        """Take another description; one that is in a `ChangeIndex` has to leave it first and enter again."""
        self.record.description = description
        self.sport, self.competition = f"sport:{description.sport}", f"competition:{description.competition.id}"
        self.channels = f"event:{self.record.id}", self.sport, self.competition


class ChangeIndex:
    """All events of a shard in the order of their last change, and the events of each competition."""

    def __init__(self) -> None:
        #: least recently changed first
        self._events: dict[EventEntry, None] = {}
        self._competitions: dict[str, dict[EventEntry, None]] = {}
        #: the newest position in the records loaded: older batches may still follow, and must not make an event look older
        self.horizon = 0
        #: the newest position touched
        self.newest = 0

    def load(self, entries: Iterable[EventEntry]) -> None:
        """Begin anew with these events."""
        self._events.clear()
        self._competitions.clear()
        self.newest = 0
        for entry in sorted(entries, key=lambda entry: entry.touched):
            self.enter(entry)
            self.newest = entry.touched
        self.horizon = self.newest

    def rewind(self) -> None:
        """Begin a new epoch, before whose first position everything was as it is."""
        self.newest = self.horizon = 0
        for entry in self._events:
            entry.touched = 0

    def enter(self, entry: EventEntry) -> None:
        """Take an event in, as the last one changed."""
        self._events[entry] = None
        self._competitions.setdefault(entry.competition, {})[entry] = None

    def leave(self, entry: EventEntry) -> None:
        """Forget an event."""
        self._events.pop(entry, None)
        members = self._competitions.get(entry.competition)
        if members is not None:
            members.pop(entry, None)
            if not members:
                del self._competitions[entry.competition]

    def touch(self, entry: EventEntry, seq: int) -> None:
        """Note that an event that has entered changed at a position, which is not before that of any touched since the load."""
        seq = max(self.horizon, seq)
        if entry.touched == seq:
            return  # it stands among those of this position already, and their order says nothing
        entry.touched = self.newest = seq
        # Last in the order.
        events = self._events
        events.pop(entry, None)
        events[entry] = None

    def since(self, scope: str, seq: int) -> Iterator[EventEntry]:
        """Give the events of a scope that changed after a position.

        Args:
            scope: `ALL`, `sport:<key>` or `competition:<id>`.
            seq: the position.
        """
        if scope.startswith("competition:"):
            # They are few: it costs less to look at each than to keep them in order.
            yield from [entry for entry in self._competitions.get(scope, ()) if entry.touched > seq]
            return
        for entry in reversed(self._events):
            if entry.touched <= seq:
                return
            if scope in (ALL, entry.sport):
                yield entry
