"""Suspend a market with a price over what another live exchange lays: who backs it here and lays it there can't lose.

Only where the rules ask for it (`bound_by_exchanges`): an exchange whose data is delayed lags behind every move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oddsengine.pricing.guards.jump import OtherSource
    from oddsengine.pricing.market.market_book import MarketBook


def is_over_lay(book: MarketBook, others: Iterable[OtherSource]) -> bool:
    """Check whether a price of a market is over the best lay of the same market at another source.

    Args:
        book: the market, priced.
        others: the same market at other sources that are live and not too old.
    """
    own = book.definition
    for market, profile in others:
        definition = market.definition
        if definition is None or (definition.status, definition.in_play) != ("open", own.in_play):
            continue
        if own.in_play and definition.counts_all_goals != own.counts_all_goals:
            continue  # another bet
        for selection in definition.selections:
            held = market.books.get(selection.source_id) if selection.status == "active" else None
            lay = None if held is None else held.best()[1]
            if lay is None or lay[1] < profile.exchange.min_size:
                continue
            longest = max((price for price in book.prices(selection.key) if price is not None), default=0)
            if longest > lay[0] * 1000.0:
                return True
    return False
