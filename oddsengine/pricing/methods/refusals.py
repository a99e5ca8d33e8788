"""The reasons why a selection has no fair probability: the limits that its book does not keep, for explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.pricing.methods.fair import is_deep_enough

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.domain.feed_updates import PriceSize
    from oddsengine.pricing.methods.fair import ExchangeLimits
    from oddsengine.sourcing.selection_book import SelectionBook


def refusal_of_book(book: SelectionBook | None, limits: ExchangeLimits) -> str:
    """Return why a selection's own book has no fair probability.

    `no_offers`; `one_sided`; `crossed` (it can be laid at less than backed at); `spread`, `size` or `depth`, over or under the
    limits; `incomplete` where the book would do: the quotes of the other selections, or those of the other side of the line, are
    missing.

    Args:
        book: the source's book of the selection.
        limits: which order books are used.
    """
    if book is not None and book.quote is not None:
        return "incomplete"
    back, lay = (None, None) if book is None else book.best()
    if book is None or back is None or lay is None:
        return "no_offers" if back is lay else "one_sided"
    return next((reason for reason, fails in _failing(book, back, lay, limits) if fails), "incomplete")


def _failing(book: SelectionBook, back: PriceSize, lay: PriceSize, limits: ExchangeLimits) -> Iterator[tuple[str, bool]]:
    yield "crossed", lay[0] < back[0]
    yield "spread", lay[0] > back[0] * (1.0 + limits.max_spread)
    yield "size", min(back[1], lay[1]) < limits.min_size
    yield "depth", bool(limits.min_depth) and not is_deep_enough(book.back_rows(), book.lay_rows(), limits)
