"""Caches what a bookmaker quotes, to turn complete price lists into the changes between them.

Used by every adapter whose provider sends prices in full: most of what is fetched again has not changed. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from feeds.feed import Rejected
from feeds.toolkit.odds_and_lines import read_quotes
from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketGone, MarketUpdate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oddsengine.domain.events import Event
    from oddsengine.domain.feed_updates import FeedUpdate, MarketDefinition
    from oddsengine.domain.ids import EventId
    from oddsengine.domain.taxonomy import MarketStatus


class _QuotedMarket:
    __slots__ = ("definition", "problems", "quotes")

    def __init__(self, definition: MarketDefinition, quotes: dict[str, float]) -> None:
        self.definition = definition
        self.quotes = quotes
        #: what was wrong with its last prices
        self.problems: list[str] = []


class QuoteCache:
    """The events and markets of one bookmaker, by our ids. Every method returns the updates that its call caused."""

    def __init__(self) -> None:
        self._events: dict[EventId, Event] = {}
        self._markets: dict[EventId, dict[str, _QuotedMarket]] = {}
        #: events whose last market was withdrawn; a consumer may have discarded them and needs them again
        self._without_markets: set[EventId] = set()
        self._refused: list[tuple[str, str]] = []

    def take_rejected(self, bookmaker: str) -> list[Rejected]:
        """Return the prices refused since the last call, each once until it changes; to be passed on with the updates."""
        refused, self._refused = self._refused, []
        return [Rejected(f"odds of {bookmaker} on {market}", problem, "") for market, problem in refused]

    def update_event(self, event: Event) -> list[FeedUpdate]:
        """Set the description of an event. No update if it is unchanged."""
        if self._events.get(event.id) == event:
            return []
        self._events[event.id] = event
        return [EventUpdate(event)]

    def update_market(self, definition: MarketDefinition, prices: Mapping[str, float | str | None]) -> list[FeedUpdate]:
        """Set a market: its definition and prices by selection, as the provider writes decimal odds.

        A selection that is missing has no price. One whose price is no decimal odds has none either, and a market whose prices
        together can't be decimal odds is suspended (`take_rejected`).
        """
        quotes, problems = read_quotes(prices, len(definition.selections), definition.winners)
        if problems and not quotes:
            definition = msgspec.structs.replace(definition, status="suspended")
        markets = self._markets.setdefault(definition.event, {})
        known = markets.get(definition.id)
        if problems and (known is None or known.problems != problems):
            self._refused += [(definition.id, problem) for problem in problems]
        if known is None:
            known = markets[definition.id] = _QuotedMarket(definition, quotes)
            known.problems = problems
            updates: list[FeedUpdate] = []
            if definition.event in self._without_markets:
                self._without_markets.discard(definition.event)
                updates = [EventUpdate(self._events[definition.event])]
            return [*updates, _image(definition, quotes)]
        known.problems = problems
        changes = [BookChange(key, quote=odds) for key, odds in quotes.items() if known.quotes.get(key) != odds]
        changes += [BookChange(key, quote=0.0) for key in known.quotes if key not in quotes]
        redefined = known.definition != definition
        if not changes and not redefined:
            return []
        known.definition, known.quotes = definition, quotes
        return [MarketUpdate(definition.id, definition=definition if redefined else None, books=changes)]

    def set_status(self, event: EventId, market: str, status: MarketStatus) -> list[FeedUpdate]:
        """Set the status of a market. No update if the market is unknown."""
        known = self._markets.get(event, {}).get(market)
        if known is None or known.definition.status == status:
            return []
        return self.update_market(msgspec.structs.replace(known.definition, status=status), known.quotes)

    def definitions(self, event: EventId) -> list[MarketDefinition]:
        """Return the definitions of an event's markets."""
        return [quoted.definition for quoted in self._markets.get(event, {}).values()]

    def has_draw(self, event: EventId, period: str, unit: str | None = None) -> bool:
        """Check whether the result of a period is quoted with a draw: without it later, it is the same market."""
        return any(
            (quoted.definition.type, quoted.definition.period, quoted.definition.unit) == ("match_odds", period, unit)
            for quoted in self._markets.get(event, {}).values()
        )

    def retain_markets(self, event: EventId, markets: Iterable[str]) -> list[FeedUpdate]:
        """Withdraw all markets of an event except these."""
        quoted = self._markets.get(event, {})
        kept = set(markets)
        gone = [market for market in quoted if market not in kept]
        for market in gone:
            del quoted[market]
        if not quoted:
            self._markets.pop(event, None)
            if gone and event in self._events:
                self._without_markets.add(event)
        return [MarketGone(market) for market in gone]

    def remove_event(self, event: EventId) -> list[FeedUpdate]:
        """Withdraw an event and all its markets."""
        updates = self.retain_markets(event, ())
        self._events.pop(event, None)
        self._without_markets.discard(event)
        return updates

    def snapshot(self, event: EventId) -> list[FeedUpdate]:
        """Return images of all markets of an event. Changes nothing."""
        return [_image(quoted.definition, quoted.quotes) for quoted in self._markets.get(event, {}).values()]


def _image(definition: MarketDefinition, quotes: Mapping[str, float]) -> MarketUpdate:
    books = [BookChange(key, quote=odds) for key, odds in quotes.items()]
    return MarketUpdate(definition.id, image=True, definition=definition, books=books)
