"""The events as the sources describe them now: which description counts, and which events have begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from oddsengine.domain.events import Event, has_level_score

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.domain.changes import MarketRecord
    from oddsengine.domain.ids import EventId
    from oddsengine.offer.change_index import EventEntry
    from oddsengine.sourcing.source_book import SourceBook

_NONZERO: Final = frozenset("123456789")


class DescribedEvent(NamedTuple):
    """An event as it is now; `concerns_prices` is whether its markets may be priced otherwise than before."""

    event: Event
    concerns_prices: bool


class DescribedEvents:
    """Keeps each event as one of its sources describes it.

    The first live source describes it, else the first that knows it. Its sport and competition are those of the first that
    knows it, live or not: rules that name them must not change with a source's health.

    Args:
        books: the sources, most preferred first.
    """

    def __init__(self, books: Mapping[str, SourceBook]) -> None:
        self._books = books
        self.current: dict[EventId, Event] = {}
        #: those that a source knows to have begun, also one that is not live: what has begun can't be before its start again
        self.begun: dict[EventId, Event] = {}

    def describe(self, key: EventId) -> DescribedEvent | None:
        """Update the description of an event from all sources and return it; None if no source knows the event."""
        describing = [book for book in self._books.values() if key in book.events]
        if not describing:
            return None
        live = [book for book in describing if book.health == "live"]
        named = describing[0].events[key]
        event = (live or describing)[0].events[key]
        if (event.sport, event.competition) != (named.sport, named.competition):
            event = msgspec.structs.replace(event, sport=named.sport, competition=named.competition)
        has_begun = any(_has_begun(book.events[key]) for book in describing)
        before, had_begun = self.current.get(key), key in self.begun
        self.current[key] = event
        if has_begun:
            self.begun[key] = event
        else:
            self.begun.pop(key, None)
        return DescribedEvent(event, before is None or has_begun != had_begun or _for_rules(before) != _for_rules(event))

    def bring_back(self, event: Event) -> None:
        """Keep an event that is on offer again, as it was when it left, until a source describes it."""
        self.current[event.id] = event
        if _has_begun(event):
            self.begun[event.id] = event

    def drop(self, key: EventId) -> None:
        """Drop an event that another engine publishes. The sources keep it."""
        self.current.pop(key, None)
        self.begun.pop(key, None)

    def forget(self, key: EventId) -> None:
        """Drop an event that is gone."""
        self.drop(key)
        for book in self._books.values():
            book.events.pop(key, None)


def in_first_competition(event: Event, entry: EventEntry[MarketRecord] | None) -> Event:
    """Keep an event in the sport and competition it was first published in, where subscribers follow it."""
    if entry is None:
        return event
    description = entry.record.description
    if (event.sport, event.competition) == (description.sport, description.competition):
        return event
    return msgspec.structs.replace(event, sport=description.sport, competition=description.competition)


def _has_begun(event: Event) -> bool:
    """Check whether an event is in play, or has a score: also one that is over has begun."""
    return event.in_play or (event.score is not None and not _NONZERO.isdisjoint(event.score))


def _for_rules(event: Event) -> tuple[object, ...]:
    """Return what rules, commands and the choice of sources depend on. Of the score: whether a handicap may count from it.

    What has begun need not be in play: commands are for what is in play, or end once it is.
    """
    return event.sport, event.competition, event.start_ms, event.in_play, has_level_score(event)
