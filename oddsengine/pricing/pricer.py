"""From one source's market to the market we publish, for every profile at once, at the cost of what moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from oddsengine.domain.changes import MarketIdentity, MarketState
from oddsengine.domain.offered_market import OfferedMarket, OfferedSelection
from oddsengine.pricing.guards.jump import is_spike
from oddsengine.pricing.market.lines import LineLadders
from oddsengine.pricing.market.market_book import MarketBook
from oddsengine.pricing.market.reference import price_plainly
from oddsengine.pricing.profiles.resolver import RuleBook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from oddsengine.domain.events import Event
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import MarketId
    from oddsengine.pricing.market.reference import PricedMarket
    from oddsengine.pricing.profiles.profile import Profile, Resolved
    from oddsengine.sourcing.source_book import SourceMarket

#: New prices of some selections, one a profile each; what is not named is as it was.
PriceChanges: TypeAlias = list[tuple[str, tuple[int | None, ...]]]


def _nobody() -> Iterable[SourceMarket]:
    return ()


class Pricer:
    """Prices markets for every profile.

    Args:
        profiles: by name, in the order of every published `prices`.
        tiers: the names, or patterns of the ids or names, of the competitions of each tier.
    """

    def __init__(self, profiles: Mapping[str, Profile], tiers: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self.profiles = dict(profiles)
        #: markets that must be priced again because others moved; whoever prices takes them out
        self.disturbed: set[MarketId] = set()
        self._rules = RuleBook(self.profiles.values(), tiers or {})
        self._books: dict[MarketId, MarketBook] = {}
        self._lines = LineLadders()
        #: market -> those on whose lines and its own a bettor can't lose, itself among them
        self._at_odds: dict[MarketId, set[MarketId]] = {}
        #: markets of which another one has said so, or says so no more
        self._challenged: set[MarketId] = set()
        self._identities: dict[MarketId, tuple[MarketDefinition, MarketIdentity]] = {}

    def offered(
        self,
        market: SourceMarket,
        definition: MarketDefinition,
        event: Event | None = None,
        now_ms: int = 0,
        witnesses: Callable[[], Iterable[SourceMarket]] = _nobody,
    ) -> OfferedMarket | PriceChanges:
        """Price a market as its source says it stands.

        Args:
            market: the source's books.
            definition: `market.definition`, which is known by now.
            event: the event it belongs to, for the rules.
            now_ms: Unix milliseconds, for rules on the time to the start.
            witnesses: gives the other sources' books of the same market, to confirm a jump by.

        Returns:
            The whole market, or, where all but prices is as at the last call, only the prices that changed.
        """
        if definition.status != "open":
            # Whatever it reopens at is a new beginning, not a jump.
            return self.suspended(definition, "provider")
        if not definition.winners:
            return self.suspended(definition, "not_priceable")
        book = self._book(market, definition, self._rules.resolved(market.source, definition, event, now_ms))
        changed, refusal = self._priced(book, now_ms, witnesses)
        if refusal is not None:
            book.offered_open = False
            return self._shut(definition, refusal)
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

    def believed(self, source: str, definition: MarketDefinition, event: Event | None, now_ms: int) -> Profile:
        """Give the settings by which several sources are put together: those of the first profile."""
        return self._rules.resolved(source, definition, event, now_ms)[0].settings

    def due(self, now_ms: int) -> list[MarketId]:
        """List the markets to be looked at again only because time has passed: another rule, too old, or on their way."""
        due = [market for market, book in self._books.items() if book.offered_open and book.is_due(now_ms)]
        return due + self._rules.due(now_ms)

    def suspended(self, definition: MarketDefinition, reason: str) -> OfferedMarket:
        """Say that a market is suspended for a reason; a closed one stays closed."""
        self._drop(definition.id)
        return self._shut(definition, reason)

    def explain(
        self, market: SourceMarket, definition: MarketDefinition, event: Event | None = None, now_ms: int = 0
    ) -> dict[str, tuple[Resolved, PricedMarket]]:
        """Give what held for a market and every number behind its prices, by profile."""
        resolved = self._rules.resolved(market.source, definition, event, now_ms)
        book = self._books.get(definition.id)
        return {
            name: (
                each,
                price_plainly(market, definition, each.settings, None if book is None else book.pooled(place)),
            )
            for place, (name, each) in enumerate(zip(self.profiles, resolved, strict=True))
        }

    def book(self, market: MarketId) -> MarketBook | None:
        """Give what is kept of a market that could be open."""
        return self._books.get(market)

    def forget(self, market: MarketId) -> None:
        """Drop what is remembered of a market that is gone."""
        self._drop(market)
        self._identities.pop(market, None)

    def _book(self, market: SourceMarket, definition: MarketDefinition, resolved: tuple[Resolved, ...]) -> MarketBook:
        book = self._books.get(definition.id)
        if book is None or not book.fits(market, definition, resolved):
            if book is not None:
                self.disturbed |= self._lines.leave(book)
            book = self._books[definition.id] = MarketBook(market, definition, resolved, book)
        return book

    def _priced(
        self, book: MarketBook, now_ms: int, witnesses: Callable[[], Iterable[SourceMarket]]
    ) -> tuple[dict[str, None], str | None]:
        """Price what moved of a market; give what changed, and why it can't be open, if it can't."""
        nothing: dict[str, None] = {}
        if book.suspend or book.is_old(now_ms):
            # What is not offered has no say in what the other lines are worth.
            self.disturbed |= self._lines.leave(book)
            return nothing, "rule" if book.suspend else "source_old"
        refusal = book.imply()
        if book.has_lines:
            self._lines.join(book)
            self.disturbed |= self._lines.agree(book)
        if refusal is not None:
            return nothing, refusal
        changed, refusal = book.price()
        if refusal is None and book.jump_limit and is_spike(book, witnesses):
            refusal = "spike"
        if (changed or not book.offered_open or book.definition.id in self._challenged) and self._has_arbitrage(book):
            refusal = refusal or "arbitrage"
        return changed, refusal

    def _has_arbitrage(self, book: MarketBook) -> bool:
        """Tell whether backing all of a market, or of two lines, in the best profile each, can't lose."""
        me = book.definition.id
        self._challenged.discard(me)
        if book.has_lines:
            now = self._lines.arbitrage(book)
            before = self._at_odds.pop(me, set())
            if now:
                self._at_odds[me] = now
            others = (now ^ before) - {me}
            self.disturbed |= others
            self._challenged |= others
            if now:
                return True
        return book.has_arbitrage()

    def _drop(self, market: MarketId) -> None:
        book = self._books.pop(market, None)
        self._rules.forget(market)
        self._challenged.discard(market)
        if book is not None:
            others = self._at_odds.pop(market, set()) - {market}
            self._challenged |= others
            self.disturbed |= self._lines.leave(book) | others

    def _shut(self, definition: MarketDefinition, reason: str) -> OfferedMarket:
        closed = definition.status == "closed"
        state = MarketState("closed" if closed else "suspended", None if closed else reason, definition.in_play)
        no_prices = (None,) * len(self.profiles)
        selections = {
            str(selection.key): OfferedSelection(selection.name, selection.status, no_prices)
            for selection in definition.selections
        }
        return OfferedMarket(definition.id, self._identity(definition), state, selections)

    def _identity(self, definition: MarketDefinition) -> MarketIdentity:
        known = self._identities.get(definition.id)
        if known is not None and known[0] is definition:
            return known[1]
        identity = MarketIdentity(definition.event, definition.type, definition.period, definition.line, definition.winners)
        self._identities[definition.id] = (definition, identity)
        return identity
