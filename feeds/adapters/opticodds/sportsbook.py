"""The state of one sportsbook: the latest entry of each selection, and the quotes assembled from them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from feeds.adapters.opticodds.markets import to_markets
from feeds.toolkit.quote_cache import QuoteCache
from feeds.toolkit.timestamps import is_older

if TYPE_CHECKING:
    from feeds.adapters.opticodds.messages import Entry, Fixture
    from oddsengine.domain.feed_updates import FeedUpdate
    from oddsengine.domain.ids import EventId


def lock(entry: Entry) -> Entry:
    """Return an entry with its price withdrawn."""
    return msgspec.structs.replace(entry, price=None)


class Sportsbook:
    """One sportsbook."""

    def __init__(self) -> None:
        self.quote_cache = QuoteCache()
        #: event -> entry id -> its latest entry; a locked one has no price
        self._entries: dict[EventId, dict[str, Entry]] = {}

    def apply(self, event: EventId, entry: Entry) -> bool:
        """Apply an entry of the stream. Return False if it is older than the known one, which is then kept."""
        entries = self._entries.setdefault(event, {})
        known = entries.get(entry.id)
        if known is not None and is_older(entry.timestamp * 1000, known.timestamp * 1000):
            return False
        entries[entry.id] = entry
        return True

    def replace(self, event: EventId, entries: dict[str, Entry]) -> None:
        """Replace the entries of an event with those of a snapshot, except where the known ones are newer."""
        # The stream may be ahead of the snapshot: an entry newer than all of the snapshot was not yet in it.
        newest = max((entry.timestamp for entry in entries.values()), default=0.0)
        newer = {
            key: known
            for key, known in self._entries.get(event, {}).items()
            if known.timestamp > (entries[key].timestamp if key in entries else newest)
        }
        self._entries[event] = {**entries, **newer}

    def requote(self, event: EventId, fixture: Fixture) -> list[FeedUpdate]:
        """Assemble the entries of an event into markets and return what has changed."""
        markets = to_markets(event, fixture, self._entries.get(event, {}).values())
        updates: list[FeedUpdate] = []
        for definition, prices in markets.values():
            updates += self.quote_cache.update_market(definition, prices)
        return updates + self.quote_cache.retain_markets(event, markets)

    def remove(self, event: EventId) -> list[FeedUpdate]:
        """Withdraw an event with all its markets."""
        self._entries.pop(event, None)
        return self.quote_cache.remove_event(event)
