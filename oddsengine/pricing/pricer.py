"""From one source's market to the market we publish, for every profile at once, at the cost of what moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from oddsengine.books.changes import MarketIdentity, MarketState
from oddsengine.books.offer import OfferedMarket, OfferedSelection
from oddsengine.pricing.market_book import MarketBook, PricedMarket, price_plainly
from oddsengine.pricing.rule_book import RuleBook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.books.source_book import SourceMarket
    from oddsengine.markets.events import Event
    from oddsengine.markets.feed_updates import MarketDefinition
    from oddsengine.markets.ids import MarketId
    from oddsengine.pricing.profile import Profile, Resolved

#: New prices of some selections, one a profile each; what is not named is as it was.
PriceChanges: TypeAlias = list[tuple[str, tuple[int | None, ...]]]


class Pricer:
    """Prices markets for every profile.

    Args:
        profiles: by name, in the order of every published `prices`.
    """

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self.profiles = dict(profiles)
        self._rules = RuleBook(self.profiles.values())
        self._books: dict[MarketId, MarketBook] = {}
        #: market -> the probabilities a jump led to, and when it was heard of
        self._spikes: dict[MarketId, tuple[dict[str, float], int]] = {}
        self._identities: dict[MarketId, tuple[MarketDefinition, MarketIdentity]] = {}

    def offered(
        self, market: SourceMarket, definition: MarketDefinition, event: Event | None = None, now_ms: int = 0
    ) -> OfferedMarket | PriceChanges:
        """Price a market as its source says it stands.

        Args:
            market: the source's books.
            definition: `market.definition`, which is known by now.
            event: the event it belongs to, for the rules.
            now_ms: Unix milliseconds, for rules on the time to the start.

        Returns:
            The whole market, or, where all but prices is as at the last call, only the prices that changed.
        """
        if definition.status != "open":
            # Whatever it reopens at is a new beginning, not a jump.
            self._spikes.pop(definition.id, None)
            return self.suspended(definition, "provider")
        if not definition.winners:
            return self.suspended(definition, "not_priceable")
        resolved = self._rules.resolved(market.source, definition, event, now_ms)
        book = self._books.get(definition.id)
        if book is None or not book.fits(market, definition, resolved):
            book = self._books[definition.id] = MarketBook(market, definition, resolved)
        if book.is_old(now_ms):
            return self.suspended(definition, "source_old")
        changed, refusal = book.move()
        if refusal is None and book.spike_limit and self._is_spike(book):
            refusal = "spike"
        if refusal is not None:
            # One profile's doubt is about the market, not about the profile: what may be wrong is open to nobody.
            return self.suspended(definition, refusal)
        if book.offered_open:
            return [(key, book.prices(key)) for key in changed] if changed else []
        book.offered_open = True
        return OfferedMarket(
            definition.id,
            self._identity(definition),
            MarketState("open", None, definition.in_play),
            {
                str(selection.key): OfferedSelection(selection.name, selection.status, book.prices(selection.key))
                for selection in definition.selections
            },
        )

    def due(self, now_ms: int) -> list[MarketId]:
        """List the markets that must be looked at again only because time has passed: another rule, or too old."""
        old = [market for market, book in self._books.items() if book.is_old(now_ms)]
        return old + self._rules.due(now_ms)

    def suspended(self, definition: MarketDefinition, reason: str) -> OfferedMarket:
        """Say that a market is suspended for a reason; a closed one stays closed."""
        self._books.pop(definition.id, None)
        self._rules.forget(definition.id)
        closed = definition.status == "closed"
        state = MarketState("closed" if closed else "suspended", None if closed else reason, definition.in_play)
        no_prices = (None,) * len(self.profiles)
        selections = {
            str(selection.key): OfferedSelection(selection.name, selection.status, no_prices)
            for selection in definition.selections
        }
        return OfferedMarket(definition.id, self._identity(definition), state, selections)

    def explain(
        self, market: SourceMarket, definition: MarketDefinition, event: Event | None = None, now_ms: int = 0
    ) -> dict[str, tuple[Resolved, PricedMarket]]:
        """Give what held for a market and every number behind its prices, by profile."""
        resolved = self._rules.resolved(market.source, definition, event, now_ms)
        return {
            name: (each, price_plainly(market, definition, each.settings))
            for name, each in zip(self.profiles, resolved, strict=True)
        }

    def forget(self, market: MarketId) -> None:
        """Drop what is remembered of a market that is gone."""
        self._books.pop(market, None)
        self._identities.pop(market, None)
        self._rules.forget(market)
        self._spikes.pop(market, None)

    def _identity(self, definition: MarketDefinition) -> MarketIdentity:
        known = self._identities.get(definition.id)
        if known is not None and known[0] is definition:
            return known[1]
        identity = MarketIdentity(definition.event, definition.type, definition.period, definition.line, definition.winners)
        self._identities[definition.id] = (definition, identity)
        return identity

    def _is_spike(self, book: MarketBook) -> bool:
        """Tell whether the probabilities have jumped and no later update has confirmed where to."""
        fair, heard_ms = book.fair(), book.market.heard_ms
        market = book.definition.id
        pending = self._spikes.get(market)
        if pending is not None:
            jumped_to, jumped_ms = pending
            if _jumped(jumped_to, fair, book.spike_limit):
                self._spikes[market] = (fair, heard_ms)
                return True
            if heard_ms <= jumped_ms:
                return True
            del self._spikes[market]
        elif book.seen is not None and _jumped(book.seen, fair, book.spike_limit):
            self._spikes[market] = (fair, heard_ms)
            return True
        book.seen = fair
        return False


def _jumped(before: dict[str, float], now: dict[str, float], limit: float) -> bool:
    return any(key in before and abs(probability - before[key]) > limit * before[key] for key, probability in now.items())
