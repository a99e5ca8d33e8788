"""Compares a provider's fresh images with the book held of it, to distinguish a quiet market from a frozen feed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.feed_updates import MarketGone, MarketUpdate
from oddsengine.sourcing.selection_book import SelectionBook
from oddsengine.sourcing.source_book import SourceBook

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import UpdateBatch
    from oddsengine.sourcing.source_book import SourceMarket


def agrees(book: SourceBook, batch: UpdateBatch) -> bool:
    """Check whether a batch of images contains nothing new. Does not change the book."""
    for update in batch.updates:
        if type(update) is MarketGone:
            held = book.markets.get(update.market)
            # Providers drop a closed market from their images without a message.
            if held is not None and (held.definition is None or held.definition.status != "closed"):
                return False
        elif type(update) is MarketUpdate:
            held = book.markets.get(update.market)
            if held is None or not update.image:
                return False
            fresh = SourceBook(batch.source)
            fresh.apply(update, 0)
            if not _is_equal(held, fresh.markets[update.market]):
                return False
    return True


def _is_equal(held: SourceMarket, fresh: SourceMarket) -> bool:
    if held.definition is not None and fresh.definition is not None and held.definition.status != fresh.definition.status:
        return False
    empty = SelectionBook()
    keys = {*held.books, *fresh.books}
    return all(_rows(held.books.get(key, empty)) == _rows(fresh.books.get(key, empty)) for key in keys)


def _rows(book: SelectionBook) -> tuple[object, ...]:
    return (
        book.back,
        book.lay,
        book.back_levels,
        book.lay_levels,
        book.back_display,
        book.lay_display,
        book.quote,
    )
