"""Index of the events on offer by their last change, so that a diff costs what has changed, not what is on offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from oddsengine.common import speedups

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from oddsengine.domain.changes import EventDescription, EventRecord, MarketIdentity, MarketState, SelectionRecord
    from oddsengine.domain.ids import EventId, MarketId

#: The scope of every event.
ALL = ""


class Market(Protocol):
    """The part of a market that a diff reads, however it is held; see `MarketRecord`."""

    @property
    def id(self) -> MarketId:
        """Its id."""
        ...

    @property
    def identity(self) -> MarketIdentity:
        """The fields that do not change while it is on offer."""
        ...

    @property
    def created_at(self) -> int:
        """The position at which it came on offer."""
        ...

    @property
    def state(self) -> MarketState:
        """Whether it takes bets."""
        ...

    @property
    def state_at(self) -> int:
        """The position at which that last changed."""
        ...

    @property
    def v(self) -> int:
        """Its version."""
        ...

    @property
    def at(self) -> int:
        """The position of its last change."""
        ...

    @property
    def selections(self) -> Mapping[str, SelectionRecord]:
        """Its selections."""
        ...


M = TypeVar("M", bound=Market)


class EventEntry(Generic[M]):
    """An event on offer, its markets, and the position of the last change of any of them (`touched`).

    `channels` are the channels that carry the event, apart from those of its markets: its own, its `sport`'s and its
    `competition`'s.
    """

    __slots__ = ("channels", "competition", "markets", "record", "sport", "touched")

    def __init__(self, record: EventRecord) -> None:
        self.record = record
        self.markets: dict[MarketId, M] = {}
        self.touched = 0
        self.describe(record.description)

    def describe(self, description: EventDescription) -> None:
        """Replace the description. Remove the entry from its `ChangeIndex` first and add it again afterwards."""
        self.record.description = description
        self.sport, self.competition = f"sport:{description.sport}", f"competition:{description.competition.id}"
        self.channels = f"event:{self.record.id}", self.sport, self.competition


def touch_in_python(
    known: dict[EventId, EventEntry[M]], runs: list[tuple[EventId, int]], seq: int, order: dict[EventEntry[M], None]
) -> bool:
    """Note when the events of runs last changed, and move them to the end. Return whether any was moved."""
    has_moved = False
    for event, _ in runs:
        entry = known.get(event)
        if entry is not None and entry.touched != seq:
            entry.touched = seq
            order.pop(entry, None)
            order[entry] = None
            has_moved = True
    return has_moved


class ChangeIndex(Generic[M]):
    """All events of a shard in order of their last change, and the events of each competition."""

    def __init__(self) -> None:
        #: least recently changed first
        self._events: dict[EventEntry[M], None] = {}
        self._competitions: dict[str, dict[EventEntry[M], None]] = {}
        #: newest position in the records loaded; older batches may still follow, and must not make an event look older
        self.loaded_seq = 0
        #: newest position touched
        self.newest = 0

    def load(self, entries: Iterable[EventEntry[M]]) -> None:
        """Replace the contents by these events."""
        self._events.clear()
        self._competitions.clear()
        self.newest = 0
        for entry in sorted(entries, key=lambda entry: entry.touched):
            self.add(entry)
            self.newest = entry.touched
        self.loaded_seq = self.newest

    def reset_positions(self) -> None:
        """Set the last change of every event to position 0, for a new epoch."""
        self.newest = self.loaded_seq = 0
        for entry in self._events:
            entry.touched = 0

    def add(self, entry: EventEntry[M]) -> None:
        """Add an event as the most recently changed one."""
        self._events[entry] = None
        self._competitions.setdefault(entry.competition, {})[entry] = None

    def discard(self, entry: EventEntry[M]) -> None:
        """Remove an event. No-op if it is not in the index."""
        self._events.pop(entry, None)
        members = self._competitions.get(entry.competition)
        if members is not None:
            members.pop(entry, None)
            if not members:
                del self._competitions[entry.competition]

    def touch(self, entry: EventEntry[M], seq: int) -> None:
        """Record a change of an event in the index at a position, which is not before any other touched since the load."""
        seq = max(self.loaded_seq, seq)
        if entry.touched == seq:
            return  # it is among the events of this position already, and their order has no meaning
        entry.touched = self.newest = seq
        # Move it to the end.
        events = self._events
        events.pop(entry, None)
        events[entry] = None

    def touch_runs(self, known: dict[EventId, EventEntry[M]], runs: list[tuple[EventId, int]], seq: int) -> None:
        """Record changes of the events of runs as `touch` does. No-op for those that are not known."""
        seq = max(self.loaded_seq, seq)
        touch = touch_in_python if speedups.gateway_loops is None else speedups.gateway_loops.touch
        if touch(known, runs, seq, self._events):
            self.newest = seq

    def since(self, scope: str, seq: int) -> Iterator[EventEntry[M]]:
        """Yield the events of a scope that changed after a position.

        Args:
            scope: `ALL`, `sport:<key>` or `competition:<id>`.
            seq: the position.
        """
        if scope.startswith("competition:"):
            # A competition has few events: checking each costs less than keeping them in order.
            yield from [entry for entry in self._competitions.get(scope, ()) if entry.touched > seq]
            return
        for entry in reversed(self._events):
            if entry.touched <= seq:
                return
            if scope in (ALL, entry.sport):
                yield entry
