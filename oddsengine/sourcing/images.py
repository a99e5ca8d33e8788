"""A source book as updates, for those who have not followed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketUpdate, UpdateBatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oddsengine.domain.feed_updates import FeedUpdate, LevelPriceSize, MarketDefinition, PriceSize
    from oddsengine.sourcing.selection_book import SelectionBook
    from oddsengine.sourcing.source_book import SourceBook, SourceMarket


class Aged(NamedTuple):
    """Updates that were received a while ago, in milliseconds."""

    age_ms: int
    batch: UpdateBatch


def event_images(book: SourceBook) -> Aged:
    """Return all events of a source."""
    updates: list[FeedUpdate] = [EventUpdate(event) for event in book.events.values()]
    return Aged(0, UpdateBatch(book.source, None, updates))


def market_images(book: SourceBook, markets: Iterable[str], now_ms: int) -> Iterator[Aged]:
    """Yield the images of some markets of a source, as they are now. Applied to an empty book, they make the same one.

    Args:
        book: the source.
        markets: the source's ids of them; those that it no longer has are skipped.
        now_ms: our clock, Unix milliseconds.
    """
    for source_id in markets:
        market = book.markets.get(source_id)
        if market is not None:
            # A time of receipt is by our clock, which nobody else needs to share.
            published_ms = None if market.updated_ms == market.received_ms else market.updated_ms
            yield Aged(now_ms - market.received_ms, UpdateBatch(book.source, published_ms, list(_updates_of(market))))


def _updates_of(market: SourceMarket) -> Iterator[FeedUpdate]:
    definition = market.definition
    if definition is not None and market.terms is not None:
        definition = msgspec.structs.replace(definition, limit=market.terms.limit, bet_delay_s=market.terms.bet_delay_s)
    books = [change for key, each in market.books.items() if (change := _change_of(key, each)) is not None]
    quotes = market.quotes_at_removal
    if quotes is None or definition is None:
        yield MarketUpdate(market.source_id, image=True, definition=definition, books=books)
        return
    # As it was when a selection was removed, then as it is: so whoever reads it waits for new quotes too.
    before = [BookChange(key, quote=quote) for key, quote in quotes.items()]
    yield MarketUpdate(market.source_id, image=True, definition=_before_removal(market, definition), books=before)
    gone = [BookChange(key, quote=0.0) for key in quotes if key not in market.books or market.books[key].quote is None]
    yield MarketUpdate(market.source_id, definition=definition, books=[*gone, *books])


def _before_removal(market: SourceMarket, definition: MarketDefinition) -> MarketDefinition:
    """Return a definition in which the removed selections could still win."""
    selections = {each.source_id: each for each in definition.selections}
    for key in market.removed:
        selection = selections.get(key) or market.definitions.get(key)
        if selection is not None:
            selections[key] = msgspec.structs.replace(selection, status="active", result=None)
    return msgspec.structs.replace(definition, selections=tuple(selections.values()))


def _change_of(key: str, book: SelectionBook) -> BookChange | None:
    change = BookChange(
        key,
        back=list(book.back.items()) or None,
        lay=list(book.lay.items()) or None,
        back_levels=_levels(book.back_levels),
        lay_levels=_levels(book.lay_levels),
        back_display=_levels(book.back_display),
        lay_display=_levels(book.lay_display),
        last=book.last,
        quote=book.quote,
    )
    return None if change == BookChange(key) else change


def _levels(levels: dict[int, PriceSize]) -> list[LevelPriceSize] | None:
    return [(level, *row) for level, row in levels.items()] or None
