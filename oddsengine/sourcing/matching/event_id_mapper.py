"""Maps events and markets to the ids of the events they were matched with, again whenever a match is found later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.sourcing.matching.translate import translate_event, translate_market

if TYPE_CHECKING:
    from oddsengine.domain.events import Event
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import EventId
    from oddsengine.sourcing.matching.matcher import Matcher


class EventIdMapper:
    """Maps ids in front of the source books, where there is more than one feed.

    Args:
        matcher: decides which events are the same.
    """

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        #: a feed's own event -> (source, the source's market) -> its latest definition under the feed's own ids
        self._definitions: dict[EventId, dict[tuple[str, str], MarketDefinition]] = {}

    def map_event(self, event: Event) -> tuple[Event, bool]:
        """Place an event and map it; also return whether its placement changed, so that its markets have to be mapped again."""
        before = self.matcher.placement(event.id)
        placement = self.matcher.place(event)
        return translate_event(event, placement), placement.event != (before.event if before is not None else event.id)

    def map_market(self, source: str, source_id: str, definition: MarketDefinition) -> MarketDefinition:
        """Map a definition, and store it to be mapped again."""
        self._definitions.setdefault(definition.event, {})[source, source_id] = definition
        placement = self.matcher.placement(definition.event)
        return definition if placement is None else translate_market(definition, placement)

    def mapped_markets(self, event: EventId) -> list[tuple[str, str, MarketDefinition]]:
        """Return the markets of a feed's own event, mapped by its current placement, as (source, its market, definition)."""
        placement = self.matcher.placement(event)
        if placement is None:
            return []
        definitions = self._definitions.get(event, {})
        return [(source, source_id, translate_market(each, placement)) for (source, source_id), each in definitions.items()]

    def remove_market(self, source: str, source_id: str, event: EventId) -> None:
        """Remove a market that its source has withdrawn. `event` is the first id of its event."""
        for own in (event, *self.matcher.partners(event)):
            self._definitions.get(own, {}).pop((source, source_id), None)

    def forget_event(self, event: EventId) -> None:
        """Remove an event, given its first id, and all events placed with it."""
        for own in (event, *self.matcher.partners(event)):
            self._definitions.pop(own, None)
        self.matcher.forget(event)
