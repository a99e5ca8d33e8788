"""Converts a source book to JSON-ready values under the provider's own ids, for `replay --dump-at`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.sourcing.source_book import SourceBook, SourceMarket


def dump_book(book: SourceBook, at_ms: int) -> Iterator[dict[str, Any]]:
    """Yield each market of a book, in the order in which the source first named them.

    Args:
        book: one source's book.
        at_ms: the time of the dump, Unix milliseconds; becomes `at`.
    """
    for market in book.markets.values():
        yield dump_market(market, at_ms)


def dump_market(market: SourceMarket, at_ms: int) -> dict[str, Any]:
    """Return one market. A runner may be known from its definition only, or from its prices only."""
    definition = market.definition
    runners: dict[str, Any] = {}
    for ref in dict.fromkeys([*market.definitions, *market.books]):
        selection = market.definitions.get(ref)
        prices = market.books.get(ref)
        runners[ref] = {
            "status": selection.status if selection else None,
            "back": [[price, size] for price, size in prices.back_rows()] if prices else [],
            "lay": [[price, size] for price, size in prices.lay_rows()] if prices else [],
            "last": prices.last if prices else None,
        }
    return {
        "at": at_ms,
        "market": market.source_id,
        "status": definition.status if definition else None,
        "in_play": definition.in_play if definition else False,
        "runners": runners,
    }
