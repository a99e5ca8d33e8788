"""Maps events and markets to the ids of the events they were matched with, again whenever a decision changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from oddsengine.domain.events import Event
from oddsengine.sourcing.matching.identities import Move
from oddsengine.sourcing.matching.translate import translate_event, translate_market

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oddsengine.domain.feed_updates import BookChange, MarketDefinition
    from oddsengine.domain.ids import EventId
    from oddsengine.sourcing.matching.matcher import Matcher


class MappedEvent(NamedTuple):
    """An event under the id of its placement, and the events whose markets have to be mapped again."""

    event: Event
    moves: list[Move]


class EventIdMapper:
    """Maps ids in front of the source books, where there is more than one feed.

    Where an event is turned round or gets other participants, the prices of its markets may still be those of before: its markets
    are suspended until their source has confirmed them, by a new image, other selections or a quote of each selection.

    Args:
        matcher: decides which events are the same.
    """

    def __init__(self, matcher: Matcher) -> None:
        self.matcher = matcher
        #: a feed's own event -> (source, the source's market) -> its latest definition under the feed's own ids
        self._definitions: dict[EventId, dict[tuple[str, str], MarketDefinition]] = {}
        #: (source, the source's market) -> its event, and the selections without a quote since the participants changed
        self._unconfirmed: dict[tuple[str, str], tuple[EventId, set[str]]] = {}

    @property
    def has_unconfirmed(self) -> bool:
        """Whether a market waits for its source to confirm it."""
        return bool(self._unconfirmed)

    def map_event(self, event: Event) -> MappedEvent:
        """Place an event and map it."""
        renamed = self.matcher.is_renamed(event)
        moves = self.matcher.update(event)
        if renamed:
            for key, definition in self._definitions.get(event.id, {}).items():
                active = {each.source_id for each in definition.selections if each.status == "active"}
                self._unconfirmed[key] = event.id, active
            if all(move.event != event.id for move in moves):
                moves = [*moves, Move(event.id, self.matcher.placement_of(event.id).event)]
        return MappedEvent(translate_event(event, self.matcher.placement_of(event.id)), moves)

    def withholds(self, event: EventId) -> bool:
        """Check whether nothing may be published of a feed's own event, since its id is not decided."""
        return self.matcher.defers and self.matcher.placement(event) is None

    def settle(self, matches: Sequence[tuple[str, str]], non_matches: Sequence[tuple[str, str]]) -> list[Move]:
        """Take what people have settled; see `Matcher.settle`."""
        return self.matcher.settle(matches, non_matches)

    def current_event(self, event: EventId) -> Event | None:
        """Return a feed's own event under the id of its placement, None before its first description."""
        described = self.matcher.event(event)
        return None if described is None else translate_event(described, self.matcher.placement_of(event))

    def list_event(self, event: EventId) -> list[Move]:
        """Note that a feed lists an event, when it defines a market of it. Returns the events that are placed elsewhere now."""
        return self.matcher.set_listed(event, listed=True)

    def map_market(
        self, source: str, source_id: str, definition: MarketDefinition, books: Iterable[BookChange] = (), *, image: bool = False
    ) -> MarketDefinition:
        """Map a definition, and store it to be mapped again.

        Args:
            source: the source.
            source_id: the source's own id of the market.
            definition: the definition under the feed's own ids.
            books: the quotes that came with it.
            image: whether they replace all earlier ones.
        """
        key = source, source_id
        definitions = self._definitions.setdefault(definition.event, {})
        before = definitions.get(key)
        definitions[key] = definition
        if self._unconfirmed:
            if image or before is None or before.selections != definition.selections:
                self._unconfirmed.pop(key, None)
            self.confirm(source, source_id, books)
        return self._mapped(key, definition)

    def confirm(self, source: str, source_id: str, books: Iterable[BookChange]) -> MarketDefinition | None:
        """Note quotes of a market. Returns its mapped definition if they confirm a market that was suspended meanwhile."""
        key = source, source_id
        waiting = self._unconfirmed.get(key)
        if waiting is None:
            return None
        event, selections = waiting
        selections.difference_update(change.selection for change in books)
        if selections:
            return None
        del self._unconfirmed[key]
        return self._mapped(key, self._definitions[event][key])

    def mapped_markets(self, event: EventId) -> list[tuple[str, str, MarketDefinition]]:
        """Return the markets of a feed's own event, mapped by its current placement, as (source, its market, definition)."""
        if self.matcher.placement(event) is None:
            return []
        return [(*key, self._mapped(key, each)) for key, each in self._definitions.get(event, {}).items()]

    def remove_market(self, source: str, source_id: str, event: EventId) -> list[Move]:
        """Remove a market that its source has withdrawn, given its event, by its own or its first id.

        An event whose last market is withdrawn is no longer listed by its feed. Returns the events that are placed elsewhere now.
        """
        key = source, source_id
        self._unconfirmed.pop(key, None)
        for own in (event, *self.matcher.members(event)):
            definitions = self._definitions.get(own)
            if definitions is not None and definitions.pop(key, None) is not None and not definitions:
                del self._definitions[own]
                return self.matcher.set_listed(own, listed=False)
        return []

    def forget_event(self, event: EventId) -> None:
        """Remove an event, given its first id, and all events placed with it."""
        for own in {event, *self.matcher.members(event)}:
            for key in self._definitions.pop(own, {}):
                self._unconfirmed.pop(key, None)
        self.matcher.forget(event)

    def _mapped(self, key: tuple[str, str], definition: MarketDefinition) -> MarketDefinition:
        is_doubtful = key in self._unconfirmed or self.matcher.is_uncertain(definition.event)
        if is_doubtful and definition.status == "open":
            definition = msgspec.structs.replace(definition, status="suspended")
        placement = self.matcher.placement(definition.event)
        event = self.matcher.event(definition.event)
        return definition if placement is None else translate_market(definition, placement, "" if event is None else event.sport)
