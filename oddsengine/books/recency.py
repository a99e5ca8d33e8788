"""Events on offer by scope, least recently changed first: whoever asks what changed looks at those that did and no further."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oddsengine.books.changes import EventDescription, EventRecord, MarketRecord
    from oddsengine.markets.ids import MarketId

#: The scope of every event, beside `sport:<key>` and `competition:<id>`.
ALL = ""


class EventEntry:
    """An event on offer, with its markets, and the position at which anything of it last changed (`touched`).

    `scopes` are those whose recency it is part of, `channels` those that tell of it, besides one for each of its markets.
    """

    __slots__ = ("channels", "markets", "record", "scopes", "touched")

    def __init__(self, record: EventRecord) -> None:
        self.record = record
        self.markets: dict[MarketId, MarketRecord] = {}
        self.touched = 0
        self.describe(record.description)

    def describe(self, description: EventDescription) -> None:
        """Take another description; an event that is in a `Recency` has to leave it first and enter again."""
        self.record.description = description
        sport, competition = f"sport:{description.sport}", f"competition:{description.competition.id}"
        self.scopes = ALL, sport, competition
        self.channels = f"event:{self.record.id}", sport, competition


class Recency:
    """All events of a shard in the order of their last change, by scope."""

    def __init__(self) -> None:
        self._scopes: dict[str, dict[EventEntry, None]] = {ALL: {}}
        #: the newest position in the records loaded: older batches may still follow, and must not make an event look older
        self.horizon = 0
        #: the newest position touched
        self.newest = 0

    def load(self, entries: Iterable[EventEntry]) -> None:
        """Begin anew with these events."""
        self._scopes = {ALL: {}}
        self.newest = 0
        for entry in sorted(entries, key=lambda entry: entry.touched):
            self.enter(entry)
            self.newest = entry.touched
        self.horizon = self.newest

    def rewind(self) -> None:
        """Begin a new epoch, before whose first position everything was as it is."""
        self.newest = self.horizon = 0
        for entry in self._scopes[ALL]:
            entry.touched = 0

    def enter(self, entry: EventEntry) -> None:
        """Put an event last in its scopes."""
        for scope in entry.scopes:
            events = self._scopes.get(scope)
            if events is None:
                events = self._scopes[scope] = {}
            else:
                events.pop(entry, None)
            events[entry] = None

    def leave(self, entry: EventEntry) -> None:
        """Forget an event."""
        for scope in entry.scopes:
            events = self._scopes[scope]
            events.pop(entry, None)
            if not events and scope != ALL:
                del self._scopes[scope]

    def touch(self, entry: EventEntry, seq: int) -> None:
        """Note that an event changed at a position, which is not before that of any touched since the last load."""
        seq = max(self.horizon, seq)
        if entry.touched == seq:
            return  # it stands among those of this position already, and their order says nothing
        entry.touched = self.newest = seq
        self.enter(entry)

    def since(self, scope: str, seq: int) -> Iterator[EventEntry]:
        """Give the events of a scope that changed after a position, the latest first."""
        for entry in reversed(self._scopes.get(scope, {})):
            if entry.touched <= seq:
                return
            yield entry
