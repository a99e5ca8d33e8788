"""Which source prices a market: the first in order of priority that can be trusted and offers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.books.source_book import SourceMarket
from oddsengine.markets.feed_updates import MarketDefinition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oddsengine.books.source_book import SourceBook


class Choice(NamedTuple):
    """The market chosen and its definition; `reason` says why it must stay suspended all the same, None if it need not."""

    market: SourceMarket
    definition: MarketDefinition
    reason: str | None


def choose(candidates: Iterable[tuple[SourceBook, SourceMarket]]) -> Choice | None:
    """Choose among the sources that name a market; None if none has said what it is.

    Args:
        candidates: source and market, most preferred first.
    """
    second_best: Choice | None = None
    for book, market in candidates:
        definition = market.definition
        if definition is None:
            continue
        if book.health == "live":
            return Choice(market, definition, None)
        if second_best is None:
            second_best = Choice(market, definition, f"source_{book.health}")
    return second_best
