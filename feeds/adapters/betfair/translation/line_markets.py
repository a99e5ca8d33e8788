"""Distributes a market's prices over the markets it is split into, and holds those back whose market is not known yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from oddsengine.domain.feed_updates import BookChange, MarketGone, MarketUpdate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from oddsengine.domain.feed_updates import MarketDefinition

Row = TypeVar("Row", bound=tuple[float, ...])


class LineMarkets:
    """The lines of a source's markets.

    Prices may arrive before the definition that says whether their market has lines. Until then they are passed on under the id
    of the whole market, and held back as well. What is held of a selection is its last state, however often it changed.

    Attributes:
        whole: the markets that have no lines; their updates need nothing of this.
    """

    def __init__(self) -> None:
        self.whole: set[str] = set()
        #: market -> the source's id of a selection -> the line's market
        self._lines: dict[str, dict[str, str]] = {}
        #: market -> selection -> prices that no line is known for
        self._held: dict[str, dict[str, BookChange]] = {}
        #: market -> lines that it has dropped since its last image
        self._dropped: dict[str, set[str]] = {}

    def update(self, market: str, books: list[BookChange], *, image: bool) -> Iterator[MarketUpdate]:
        """Yield changed prices of a market under the ids of its lines."""
        lines = self._lines.get(market)
        if lines is None:
            yield MarketUpdate(market, image, None, books)
        if image:
            self._held.pop(market, None)
            self._dropped.pop(market, None)
        by_line = self._by_line(market, lines or {}, books)
        for line in dict.fromkeys((lines or {}).values()) if image else by_line:
            yield MarketUpdate(line, image, None, by_line.get(line, []))

    def define(
        self, market: str, markets: list[tuple[str, MarketDefinition]], books: list[BookChange], *, image: bool
    ) -> Iterator[MarketUpdate | MarketGone]:
        """Yield a market's definition, with changed prices.

        A line that comes back after it was dropped is suspended until an image, because its earlier prices are not known.

        Args:
            market: the source's id of the whole market.
            markets: its lines with their ids, or just the market itself.
            books: the prices.
            image: whether everything before is replaced.
        """
        held = self._held.pop(market, {})
        dropped = self._dropped.pop(market, set()) if not image else set()
        known = dict.fromkeys(self._lines.get(market, {}).values()) or ({market: None} if held or market in self.whole else {})
        for line in known:
            if all(line != each for each, _ in markets):
                yield MarketGone(line)
                dropped.add(line)
        if [market] == [each for each, _ in markets]:
            self._lines.pop(market, None)
            self.whole.add(market)
            yield MarketUpdate(market, image, markets[0][1], books)
            return
        self.whole.discard(market)
        lines = {selection.source_id: line for line, each in markets for selection in each.selections}
        self._lines[market] = lines
        by_line = self._by_line(market, lines, [*(() if image else held.values()), *books])
        for line, each in markets:
            is_incomplete = line in dropped and each.status == "open"
            definition = msgspec.structs.replace(each, status="suspended") if is_incomplete else each
            yield MarketUpdate(line, image, definition, by_line.get(line, []))
        if dropped and not image:
            self._dropped[market] = dropped

    def remove(self, market: str) -> list[MarketGone]:
        """Forget a market that its source has withdrawn. Returns what is gone: its lines, or itself."""
        self._held.pop(market, None)
        self._dropped.pop(market, None)
        self.whole.discard(market)
        return [MarketGone(line) for line in dict.fromkeys(self._lines.pop(market, {}).values())] or [MarketGone(market)]

    def _by_line(self, market: str, lines: Mapping[str, str], books: Iterable[BookChange]) -> dict[str, list[BookChange]]:
        by_line: dict[str, list[BookChange]] = {}
        for book in books:
            line = lines.get(book.selection)
            if line is not None:
                by_line.setdefault(line, []).append(book)
                continue
            held = self._held.setdefault(market, {})
            before = held.get(book.selection)
            held[book.selection] = book if before is None else _both(before, book)
        return by_line


def _both(before: BookChange, after: BookChange) -> BookChange:
    """Return two changes of one selection as one."""
    return BookChange(
        after.selection,
        _rows(before.back, after.back),
        _rows(before.lay, after.lay),
        _rows(before.back_levels, after.back_levels),
        _rows(before.lay_levels, after.lay_levels),
        _rows(before.back_display, after.back_display),
        _rows(before.lay_display, after.lay_display),
        before.last if after.last is None else after.last,
        before.quote if after.quote is None else after.quote,
    )


def _rows(before: list[Row] | None, after: list[Row] | None) -> list[Row] | None:
    """Return rows, of which the last of a price or level counts."""
    if not before or not after:
        return after or before
    return list({row[0]: row for row in (*before, *after)}.values())
