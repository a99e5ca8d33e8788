"""Says what feeds say in the ids of the events they were matched to, and says it anew when a match is found later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.sourcing.matching.translate import translated_event, translated_market

if TYPE_CHECKING:
    from oddsengine.domain.events import Event
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import EventId
    from oddsengine.sourcing.matching.matcher import Matcher


class EventIdMapper:
    """Stands before the source books where there is more than one feed.

    Args:
        matcher: decides which events are one.
    """

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        #: a feed's own event -> (source, the source's market) -> what it said the market is
        self._said: dict[EventId, dict[tuple[str, str], MarketDefinition]] = {}

    def event(self, event: Event) -> tuple[Event, bool]:
        """Translate a description; tell whether what was said of the event before belongs elsewhere from here on."""
        before = self.matcher.placement(event.id)
        placement = self.matcher.place(event)
        return translated_event(event, placement), placement.event != (before.event if before is not None else event.id)

    def market(self, source: str, source_id: str, definition: MarketDefinition) -> MarketDefinition:
        """Translate a definition."""
        self._said.setdefault(definition.event, {})[source, source_id] = definition
        placement = self.matcher.placement(definition.event)
        return definition if placement is None else translated_market(definition, placement)

    def markets_of(self, event: EventId) -> list[tuple[str, str, MarketDefinition]]:
        """List what was said of a feed's own event, translated as it is placed now: source, its market, definition."""
        placement = self.matcher.placement(event)
        said = self._said.get(event, {})
        if placement is None:
            return []
        return [(source, source_id, translated_market(each, placement)) for (source, source_id), each in said.items()]

    def gone(self, source: str, source_id: str, event: EventId) -> None:
        """Forget a market that its source has withdrawn, of an event under its first id."""
        for own in (event, *self.matcher.partners(event)):
            self._said.get(own, {}).pop((source, source_id), None)

    def forget(self, event: EventId) -> None:
        """Forget an event that is gone, under its first id, and all that were placed with it."""
        for own in (event, *self.matcher.partners(event)):
            self._said.pop(own, None)
        self.matcher.forget(event)
