"""Whether a market's probabilities have jumped further than may be believed without a second word for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.pricing.market.reference import price_plainly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oddsengine.pricing.market.market_book import MarketBook
    from oddsengine.sourcing.source_book import SourceMarket


def is_spike(book: MarketBook, witnesses: Callable[[], Iterable[SourceMarket]]) -> bool:
    """Tell whether the probabilities have jumped and neither a later update nor another source has confirmed where to.

    Args:
        book: the market, just priced; what is believed and what is doubted is noted in it.
        witnesses: gives the other sources' books of the same market.
    """
    fair, heard_ms, limit = book.fair(), book.market.heard_ms, book.jump_limit
    doubted = book.jumped
    if doubted is not None:
        jumped_to, jumped_ms = doubted
        if not has_jumped(jumped_to, fair, limit):
            if heard_ms <= jumped_ms and not _confirmed(book, fair, witnesses):
                return True
        elif not _confirmed(book, fair, witnesses):
            book.jumped = (fair, heard_ms)
            return True
    elif book.seen is not None and has_jumped(book.seen, fair, limit) and not _confirmed(book, fair, witnesses):
        book.jumped = (fair, heard_ms)
        return True
    book.jumped = None
    book.seen = fair
    return False


def has_jumped(before: dict[str, float], now: dict[str, float], limit: float) -> bool:
    """Tell whether some probability differs from what it was by more than the share `limit` of that."""
    return any(key in before and abs(probability - before[key]) > limit * before[key] for key, probability in now.items())


def _confirmed(book: MarketBook, fair: dict[str, float], witnesses: Callable[[], Iterable[SourceMarket]]) -> bool:
    for witness in witnesses():
        definition = witness.definition
        if definition is None or definition.status != "open":
            continue
        said = price_plainly(witness, definition, book.resolved[0].settings)
        others = {key: selection.fair for key, selection in said.selections.items() if selection.fair is not None}
        if said.refusal is None and others.keys() >= fair.keys() and not has_jumped(others, fair, book.jump_limit):
            return True
    return False
