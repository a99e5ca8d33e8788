"""What a bookmaker quotes now, so that only what differs is said: most of what is fetched again has not changed.

Shared by every adapter whose provider hands out prices whole. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketGone, MarketUpdate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oddsengine.domain.events import Event
    from oddsengine.domain.feed_updates import FeedUpdate, MarketDefinition
    from oddsengine.domain.ids import EventId
    from oddsengine.domain.taxonomy import MarketStatus


class _Quoted:
    __slots__ = ("definition", "quotes")

    def __init__(self, definition: MarketDefinition, quotes: dict[str, float]) -> None:
        self.definition = definition
        self.quotes = quotes


class QuoteCache:
    """One bookmaker's markets by event, under the domain's ids (which also key the updates)."""

    def __init__(self) -> None:
        self._events: dict[EventId, Event] = {}
        self._markets: dict[EventId, dict[str, _Quoted]] = {}
        #: events whose last market was withdrawn: whoever has forgotten them must be told again what they are
        self._silent: set[EventId] = set()

    def update_event(self, event: Event) -> list[FeedUpdate]:
        """Take an event as it is now; the same again says nothing."""
        if self._events.get(event.id) == event:
            return []
        self._events[event.id] = event
        return [EventUpdate(event)]

    def update_market(self, definition: MarketDefinition, quotes: Mapping[str, float]) -> list[FeedUpdate]:
        """Take a market whole: its definition, and decimal odds by selection; what is not named has no price."""
        markets = self._markets.setdefault(definition.event, {})
        known = markets.get(definition.id)
        if known is None:
            markets[definition.id] = _Quoted(definition, dict(quotes))
            again: list[FeedUpdate] = []
            if definition.event in self._silent:
                self._silent.discard(definition.event)
                again = [EventUpdate(self._events[definition.event])]
            return [*again, _image(definition, quotes)]
        changes = [BookChange(key, quote=odds) for key, odds in quotes.items() if known.quotes.get(key) != odds]
        changes += [BookChange(key, quote=0.0) for key in known.quotes if key not in quotes]
        redefined = known.definition != definition
        if not changes and not redefined:
            return []
        known.definition, known.quotes = definition, dict(quotes)
        return [MarketUpdate(definition.id, definition=definition if redefined else None, books=changes)]

    def set_status(self, event: EventId, market: str, status: MarketStatus) -> list[FeedUpdate]:
        """Give a known market another status."""
        known = self._markets.get(event, {}).get(market)
        if known is None or known.definition.status == status:
            return []
        return self.update_market(msgspec.structs.replace(known.definition, status=status), known.quotes)

    def definitions(self, event: EventId) -> list[MarketDefinition]:
        """List what is quoted on an event."""
        return [quoted.definition for quoted in self._markets.get(event, {}).values()]

    def retain_markets(self, event: EventId, markets: Iterable[str]) -> list[FeedUpdate]:
        """Withdraw the markets of an event that are not among these."""
        quoted = self._markets.get(event, {})
        kept = set(markets)
        gone = [market for market in quoted if market not in kept]
        for market in gone:
            del quoted[market]
        if not quoted:
            self._markets.pop(event, None)
            if gone and event in self._events:
                self._silent.add(event)
        return [MarketGone(market) for market in gone]

    def remove_event(self, event: EventId) -> list[FeedUpdate]:
        """Withdraw an event with all its markets."""
        updates = self.retain_markets(event, ())
        self._events.pop(event, None)
        self._silent.discard(event)
        return updates

    def snapshot(self, event: EventId) -> list[FeedUpdate]:
        """Say again all that is quoted on an event."""
        return [_image(quoted.definition, quoted.quotes) for quoted in self._markets.get(event, {}).values()]


def _image(definition: MarketDefinition, quotes: Mapping[str, float]) -> MarketUpdate:
    books = [BookChange(key, quote=odds) for key, odds in quotes.items()]
    return MarketUpdate(definition.id, image=True, definition=definition, books=books)


def decimal_odds(value: float | str | None) -> float | None:
    """Read decimal odds as providers write them, numbers or text; None for what can't be bet on."""
    if value is None:
        return None
    try:
        odds = float(value)
    except ValueError:
        return None
    return odds if 1.0 < odds < float("inf") else None


def from_american(price: float) -> float | None:
    """Turn American odds (-110, +150) into decimal ones; None if they are none."""
    if price >= 100:  # noqa: PLR2004 - American odds are at least even money, either way
        return 1.0 + price / 100
    if price <= -100:  # noqa: PLR2004
        return 1.0 + 100 / -price
    return None
