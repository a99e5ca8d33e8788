"""The order book or quote of one selection at one source, with its best offers kept up to date."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import BookChange, LevelPriceSize, PriceSize


class SelectionBook:
    """One selection's order book at one source, in the provider's units.

    `back` holds the prices that can be backed (best: highest), `lay` those that can be laid (best: lowest). The books by level
    are numbered by the provider. `last` is the last traded price, `quote` a bookmaker's own price.
    """

    __slots__ = (
        "_best_back",
        "_best_lay",
        "_top_back",
        "_top_lay",
        "back",
        "back_display",
        "back_levels",
        "best_version",
        "last",
        "last_ms",
        "lay",
        "lay_display",
        "lay_levels",
        "quote",
        "version",
    )

    def __init__(self) -> None:
        self.back: dict[float, float] = {}
        self.lay: dict[float, float] = {}
        self.back_levels: dict[int, PriceSize] = {}
        self.lay_levels: dict[int, PriceSize] = {}
        self.back_display: dict[int, PriceSize] = {}
        self.lay_display: dict[int, PriceSize] = {}
        self.last: float | None = None
        #: when `last` was traded, Unix milliseconds; 0 where that is not known
        self.last_ms = 0
        self.quote: float | None = None
        self._best_back: PriceSize | None = None
        self._best_lay: PriceSize | None = None
        #: the best price of each ladder; 0 and infinity where it must be looked up
        self._top_back = 0.0
        self._top_lay = inf
        #: number of changes so far; a reader compares it to see whether the book has changed since it last looked
        self.version = 0
        #: the same without changes deep in the book, which leave the best offers, the last trade and the quote as they are
        self.best_version = 0

    def apply(self, change: BookChange, traded_ms: int = 0) -> bool:  # noqa: C901, PLR0912 - hot path
        """Apply changed rows. Return whether the best offers, the last trade or the quote may have changed.

        Deleting a row that does not exist is a no-op, and so is a change without content.

        Args:
            change: the rows.
            traded_ms: when a last trade among them was made, Unix milliseconds; 0 where that is not known.
        """
        is_best = False
        back = change.back
        # Written out for both sides, and without a call: it runs for every row of every message.
        if back:
            ladder, top = self.back, self._top_back
            for row in back:
                price, size = row
                if size:
                    ladder[price] = size
                else:
                    ladder.pop(price, None)
                if price >= top:
                    is_best = True
                    if size and top:
                        top, self._best_back = price, row
                    else:
                        top = 0.0
            self._top_back = top
        lay = change.lay
        if lay:
            ladder, top = self.lay, self._top_lay
            for row in lay:
                price, size = row
                if size:
                    ladder[price] = size
                else:
                    ladder.pop(price, None)
                if price <= top:
                    is_best = True
                    if size and top != inf:
                        top, self._best_lay = price, row
                    else:
                        top = inf
            self._top_lay = top
        if (
            change.last is not None
            or change.quote is not None
            or change.back_levels
            or change.lay_levels
            or change.back_display
            or change.lay_display
        ):
            self._apply_more(change, traded_ms)
            is_best = True
        elif not back and not lay:
            return False
        self.version += 1
        if is_best:
            self.best_version += 1
        return is_best

    def _apply_more(self, change: BookChange, traded_ms: int) -> None:
        levels = change.back_levels
        if levels:
            _set_levels(self.back_levels, levels)
            self._top_back = 0.0
        levels = change.lay_levels
        if levels:
            _set_levels(self.lay_levels, levels)
            self._top_lay = inf
        levels = change.back_display
        if levels:
            _set_levels(self.back_display, levels)
            self._top_back = 0.0
        levels = change.lay_display
        if levels:
            _set_levels(self.lay_display, levels)
            self._top_lay = inf
        if change.last is not None:
            self.last = change.last
            self.last_ms = traded_ms
        if change.quote is not None:
            self.quote = change.quote or None

    @property
    def is_empty(self) -> bool:
        """Whether the book has neither offers nor a last trade nor a quote."""
        return self.quote is None and self.last is None and self.best() == (None, None)

    def equals(self, other: SelectionBook) -> bool:
        """Check whether another book has the same offers, last trade and quote."""
        return (
            (self.quote, self.last) == (other.quote, other.last)
            and (self.back, self.lay) == (other.back, other.lay)
            and (self.back_levels, self.lay_levels) == (other.back_levels, other.lay_levels)
            and (self.back_display, self.lay_display) == (other.back_display, other.lay_display)
        )

    def best(self) -> tuple[PriceSize | None, PriceSize | None]:
        """Return the best (price, size) to back and to lay: from the full ladder, else best-offer levels, else display levels."""
        if not self._top_back:
            ladder = self.back
            if ladder:
                self._top_back = price = max(ladder)
                self._best_back = (price, ladder[price])
            else:
                self._best_back = _top(self.back_levels) or _top(self.back_display)
        if self._top_lay == inf:
            ladder = self.lay
            if ladder:
                self._top_lay = price = min(ladder)
                self._best_lay = (price, ladder[price])
            else:
                self._best_lay = _top(self.lay_levels) or _top(self.lay_display)
        return self._best_back, self._best_lay

    def back_rows(self) -> list[PriceSize]:
        """Return the prices that can be backed, best first, with the same preference as `best`."""
        if self.back:
            return sorted(self.back.items(), reverse=True)
        return [row for _, row in sorted((self.back_levels or self.back_display).items())]

    def lay_rows(self) -> list[PriceSize]:
        """Return the prices that can be laid, best first, with the same preference as `best`."""
        if self.lay:
            return sorted(self.lay.items())
        return [row for _, row in sorted((self.lay_levels or self.lay_display).items())]


def _set_levels(book: dict[int, PriceSize], rows: list[LevelPriceSize]) -> None:
    for level, price, size in rows:
        if size:
            book[level] = (price, size)
        else:
            book.pop(level, None)


def _top(levels: dict[int, PriceSize]) -> PriceSize | None:
    return levels[min(levels)] if levels else None
