"""Suspend markets on which a bettor could back every outcome without risk, over profiles and over the lines of a ladder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oddsengine.domain.ids import MarketId
    from oddsengine.pricing.market.lines import LineLadders
    from oddsengine.pricing.market.market_book import MarketBook


class ArbitrageGuard:
    """Remembers which markets have an arbitrage with each other, so that all of them are suspended and all reopen.

    Args:
        lines: the line ladders of all markets.
    """

    def __init__(self, lines: LineLadders) -> None:
        self._lines = lines
        #: market -> those with which it has an arbitrage by their lines, itself included
        self._partners: dict[MarketId, set[MarketId]] = {}
        #: markets whose verdict another one has changed since they were last checked
        self.unchecked: set[MarketId] = set()

    def check(self, book: MarketBook) -> tuple[bool, set[MarketId]]:
        """Return whether a market must be suspended, and the other markets whose verdict that changes."""
        market = book.definition.id
        self.unchecked.discard(market)
        if not book.has_lines:
            return book.has_arbitrage(), set()
        partners = self._lines.arbitrage(book)
        others = (partners ^ self._partners.pop(market, set())) - {market}
        self.unchecked |= others
        if partners:
            self._partners[market] = partners
        return bool(partners) or book.has_arbitrage(), others

    def forget(self, market: MarketId) -> set[MarketId]:
        """Drop a market. Return the other markets whose verdict that changes."""
        self.unchecked.discard(market)
        others = self._partners.pop(market, set()) - {market}
        self.unchecked |= others
        return others
