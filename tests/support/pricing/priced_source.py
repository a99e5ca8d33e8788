"""One market of one source, priced after every update."""

from __future__ import annotations

from typing import Any

from oddsengine.domain.feed_updates import BookChange, MarketUpdate, SourceStatus
from oddsengine.domain.offered_market import OfferedMarket
from oddsengine.pricing.methods.fair import ExchangeLimits
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.source_book import SourceBook

MATCH = ("home", "draw", "away")
TRADED = ExchangeLimits(last_traded=True)


def offers(
    key: str,
    back: float | None = None,
    lay: float | None = None,
    *,
    size: float = 100.0,
    last: float | None = None,
) -> BookChange:
    sides = [[] if odds is None else [(odds, size)] for odds in (back, lay)]
    return BookChange(f"s-{key}", back=sides[0], lay=sides[1], last=last)


def quote(key: str, odds: float) -> BookChange:
    return BookChange(f"s-{key}", quote=odds)


class Source:
    """One market of one source, priced after every update."""

    def __init__(self, definition: Any, **profile: Any) -> None:
        self.book = SourceBook("src")
        self.book.apply(SourceStatus("live", "connected"), 0)
        self.pricer = Pricer({"default": Profile(**profile)})
        self.now_ms = 0
        self.reason: str | None = None
        self.prices: dict[str, int | None] = {}
        self.definition = definition
        self.image = True

    def update(self, *books: BookChange, definition: Any = None, after_ms: int = 1) -> dict[str, int | None]:
        """Apply one update and return the prices that are open."""
        self.now_ms += after_ms
        if self.image:
            definition = self.definition
        update = MarketUpdate("1.1", image=self.image, definition=definition, books=list(books))
        self.image = False
        self.book.apply(update, self.now_ms, self.now_ms)
        return self.price()

    def price(self) -> dict[str, int | None]:
        market = self.book.markets["1.1"]
        assert market.definition is not None
        priced = self.pricer.price(market, market.definition, None, self.now_ms)
        if isinstance(priced.market, OfferedMarket):
            self.reason = priced.market.state.reason
            self.prices = {key: each.prices[0] for key, each in priced.market.selections.items()}
        else:
            self.prices |= {key: each[0] for key, each, _ in priced.changes}
        return self.prices


def open_prices(definition: Any, *books: BookChange, **profile: Any) -> dict[str, int]:
    return {key: price for key, price in Source(definition, **profile).update(*books).items() if price is not None}


def reason_of(definition: Any, *books: BookChange, **profile: Any) -> str | None:
    source = Source(definition, **profile)
    source.update(*books)
    return source.reason
