"""Suspend markets on which a bettor could back every outcome without risk, over profiles and over the lines of a ladder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from oddsengine.domain.ids import MarketId
    from oddsengine.pricing.market.lines import LineLadders
    from oddsengine.pricing.market.market_book import MarketBook

_NONE: Final[frozenset[MarketId]] = frozenset()


class ArbitrageGuard:
    """Remembers which markets have an arbitrage with each other, so that all of them are suspended and all reopen.

    Args:
        lines: the line ladders of all markets.
    """

    def __init__(self, lines: LineLadders) -> None:
        self._lines = lines
        #: market -> the others with which it has an arbitrage by their lines, as either found at its last check
        self._partners: dict[MarketId, set[MarketId]] = {}
        #: markets whose verdict another one has changed since they were last checked
        self.unchecked: set[MarketId] = set()

    def check(self, book: MarketBook) -> tuple[bool, AbstractSet[MarketId]]:
        """Return whether a market must be suspended, and the other markets whose verdict that changes."""
        market = book.definition.id
        self.unchecked.discard(market)
        if not book.has_lines:
            return book.has_arbitrage(), _NONE
        partners = self._lines.arbitrage(book)
        if not partners and market not in self._partners:
            return book.has_arbitrage(), _NONE
        return bool(partners) or book.has_arbitrage(), self._pair(market, partners - {market})

    def forget(self, market: MarketId) -> AbstractSet[MarketId]:
        """Drop a market. Return the other markets whose verdict that changes."""
        self.unchecked.discard(market)
        return self._pair(market, set()) if market in self._partners else _NONE

    def _pair(self, market: MarketId, partners: set[MarketId]) -> set[MarketId]:
        """Set the partners of a market, and it as theirs. Return those that it has had or has, but not both."""
        before = self._partners.pop(market, _NONE)
        for other in before - partners:
            theirs = self._partners[other]
            theirs.discard(market)
            if not theirs:
                del self._partners[other]
        for other in partners - before:
            self._partners.setdefault(other, set()).add(market)
        if partners:
            self._partners[market] = partners
        others = partners ^ before
        self.unchecked |= others
        return others
