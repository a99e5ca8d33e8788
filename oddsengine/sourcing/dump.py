"""Converts a source book to JSON-ready values under the provider's own ids, for `replay --dump-at`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oddsengine.sourcing.source_book import SourceBook, SourceMarket


def dump_book(book: SourceBook, at_ms: int) -> Iterator[dict[str, Any]]:
    """Yield each market of a book, in the order in which the source first named them.

    The lines of one market, which have ids of their own (`1.24@-0.25`), are dumped as that market.

    Args:
        book: one source's book.
        at_ms: the time of the dump, Unix milliseconds; becomes `at`.
    """
    markets: dict[str, list[SourceMarket]] = {}
    for market in book.markets.values():
        markets.setdefault(market.source_id.partition("@")[0], []).append(market)
    for lines in markets.values():
        yield dump_market(lines[0], at_ms, lines[1:])


def dump_market(market: SourceMarket, at_ms: int, other_lines: Iterable[SourceMarket] = ()) -> dict[str, Any]:
    """Return one market. A runner may be known from its definition only, or from its prices only."""
    definition = market.definition
    runners: dict[str, Any] = {}
    for line in (market, *other_lines):
        for ref in dict.fromkeys([*line.definitions, *line.books]):
            selection = line.definitions.get(ref)
            prices = line.books.get(ref)
            runners[ref] = {
                "status": selection.status if selection else None,
                "back": [[price, size] for price, size in prices.back_rows()] if prices else [],
                "lay": [[price, size] for price, size in prices.lay_rows()] if prices else [],
                "last": prices.last if prices else None,
            }
    return {
        "at": at_ms,
        "market": market.source_id.partition("@")[0],
        "status": definition.status if definition else None,
        "in_play": definition.in_play if definition else False,
        "runners": runners,
    }
