"""Feeds' own events under the ids of the events that they were matched with, now and after a decision has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from oddsengine.domain.feed_updates import EventUpdate, MarketGone, MarketUpdate
from oddsengine.sourcing.matching.matcher import feed_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from oddsengine.domain.feed_updates import FeedUpdate
    from oddsengine.domain.ids import EventId, MarketId
    from oddsengine.sourcing.matching.event_id_mapper import EventIdMapper
    from oddsengine.sourcing.matching.identities import Decisions, Move
    from oddsengine.sourcing.matching.matcher import Matcher
    from oddsengine.sourcing.matching.settings import MatchingSettings
    from oddsengine.sourcing.source_book import SourceBook


class Placements(Protocol):
    """Publishes the events and markets that are moved."""

    def assign(self, source: str, source_id: str, market: MarketId) -> None:
        """Assign a source's id to a market. The market it was assigned to before is no longer quoted by it."""

    def mark(self, market: MarketId) -> None:
        """Mark a market to be priced."""

    def mark_event(self, event: EventId) -> None:
        """Mark an event to be described."""

    def leave(self, event: EventId) -> None:
        """Note that a source's event is no longer this one."""


class MatchedEvents:
    """Maps updates in front of the source books, and moves what is in the books when a decision changes.

    An event whose id is not decided yet is in no book, and its markets are in the books under their own ids and not to be priced.

    Args:
        id_mapper: maps ids.
        books: the sources.
        placements: is notified of moves.
    """

    def __init__(self, id_mapper: EventIdMapper, books: Mapping[str, SourceBook], placements: Placements) -> None:
        self._id_mapper = id_mapper
        self._books = books
        self._placements = placements
        #: events whose id is not decided -> the sources that have described them
        self._withheld: dict[EventId, set[str]] = {}

    @property
    def matcher(self) -> Matcher:
        """The matcher, which decides which events are the same."""
        return self._id_mapper.matcher

    def mapped(self, source: str, updates: Iterable[FeedUpdate]) -> Iterator[FeedUpdate]:
        """Yield updates with the ids of the events they were matched to."""
        id_mapper = self._id_mapper
        for update in updates:
            if type(update) is MarketUpdate:
                definition = update.definition
                if definition is not None:
                    self._move(id_mapper.list_event(definition.event))
                    definition = id_mapper.map_market(source, update.market, definition, update.books, image=update.image)
                elif id_mapper.has_unconfirmed:
                    definition = id_mapper.confirm(source, update.market, update.books)
                yield update if definition is None else MarketUpdate(update.market, update.image, definition, update.books)
            elif type(update) is EventUpdate:
                event, moves = id_mapper.map_event(update.event)
                self._move(moves)
                if id_mapper.withholds(update.event.id):
                    self._withheld.setdefault(update.event.id, set()).add(source)
                else:
                    yield EventUpdate(event)
            elif type(update) is MarketGone:
                self._forget_withheld(source, update.market)
                yield update
            else:
                yield update

    def withholds(self, event: EventId) -> bool:
        """Check whether a definition is of an event whose id is not decided: its market is not to be priced."""
        return self._id_mapper.withholds(event)

    def apply(self, decisions: Decisions) -> None:
        """Take decisions over; see `Matcher.apply`."""
        self._move(self._id_mapper.matcher.apply(decisions))

    def settle(self, matches: Sequence[tuple[str, str]], non_matches: Sequence[tuple[str, str]]) -> None:
        """Take what people have settled about which events are the same; see `Matcher.settle`."""
        self._move(self._id_mapper.settle(matches, non_matches))

    def match_by(self, settings: MatchingSettings) -> None:
        """Match by other settings from now on; see `Matcher.use`."""
        self._move(self._id_mapper.matcher.use(settings))

    def remove_market(self, source: str, source_id: str, event: EventId) -> None:
        """Remove a market that its source has withdrawn, given the event that it was of."""
        self._move(self._id_mapper.remove_market(source, source_id, event))

    def _forget_withheld(self, source: str, source_id: str) -> None:
        held = self._books[source].markets.get(source_id)
        if held is not None and held.definition is not None and self.withholds(held.definition.event):
            self._move(self._id_mapper.remove_market(source, source_id, held.definition.event))

    def _move(self, moves: Iterable[Move]) -> None:
        """Take feeds' own events with their markets to where they are placed now."""
        for own, before in moves:
            event = self._id_mapper.current_event(own)
            if event is None:
                continue
            for source in self._withheld.pop(own, set()) & self._books.keys():
                self._books[source].events[event.id] = event
            for source, book in self._books.items():
                if before in book.events and feed_of(source) == feed_of(own):
                    del book.events[before]
                    book.events[event.id] = event
            for source, source_id, definition in self._id_mapper.mapped_markets(own):
                held = self._books[source].markets.get(source_id)
                if held is not None:
                    held.define(definition)
                    self._placements.assign(source, source_id, definition.id)
                    self._placements.mark(definition.id)
            self._placements.mark_event(event.id)
            if before != event.id:
                self._placements.leave(before)
