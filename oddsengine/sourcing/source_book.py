"""What one provider says now: its markets, their definitions and order books, under the provider's own ids.

Pure: updates in, state and the names of what they touched out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.feed_updates import (
    BookChange,
    EventUpdate,
    MarketGone,
    MarketUpdate,
    SourceStatus,
)

if TYPE_CHECKING:
    from oddsengine.domain.events import Event
    from oddsengine.domain.feed_updates import (
        FeedUpdate,
        LevelPriceSize,
        MarketDefinition,
        PriceSize,
        SelectionDefinition,
        SourceHealth,
    )
    from oddsengine.domain.ids import EventId


class SelectionBook:
    """One selection's order book at one source, in the provider's units.

    `back` is what can be backed (best = highest price), `lay` what can be laid (best = lowest price); the level-keyed
    books are kept as the provider numbers them. `last` is the last traded price; `quote` a bookmaker's own price.
    """

    __slots__ = (
        "_best_back",
        "_best_lay",
        "_stale_best",
        "back",
        "back_display",
        "back_levels",
        "last",
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
        self.quote: float | None = None
        self._best_back: PriceSize | None = None
        self._best_lay: PriceSize | None = None
        self._stale_best = False
        #: how many changes have been applied, so that a reader can see whether the book changed since it last looked
        self.version = 0

    def apply(self, change: BookChange) -> None:
        """Apply changed rows; a delete of what is not there is harmless."""
        self._stale_best = True
        self.version += 1
        rows = change.back
        if rows:
            _set_rows(self.back, rows)
        rows = change.lay
        if rows:
            _set_rows(self.lay, rows)
        levels = change.back_levels
        if levels:
            _set_levels(self.back_levels, levels)
        levels = change.lay_levels
        if levels:
            _set_levels(self.lay_levels, levels)
        levels = change.back_display
        if levels:
            _set_levels(self.back_display, levels)
        levels = change.lay_display
        if levels:
            _set_levels(self.lay_display, levels)
        if change.last is not None:
            self.last = change.last
        if change.quote is not None:
            self.quote = change.quote or None

    def best(self) -> tuple[PriceSize | None, PriceSize | None]:
        """Give the best (price, size) to back and to lay; full ladder first, then best-offer levels, then display levels."""
        if self._stale_best:
            back, lay = self.back, self.lay
            if back:
                price = max(back)
                self._best_back = (price, back[price])
            else:
                self._best_back = _top(self.back_levels) or _top(self.back_display)
            if lay:
                price = min(lay)
                self._best_lay = (price, lay[price])
            else:
                self._best_lay = _top(self.lay_levels) or _top(self.lay_display)
            self._stale_best = False
        return self._best_back, self._best_lay

    def back_rows(self) -> list[PriceSize]:
        """List what can be backed, best first, by the same preference as `best`."""
        if self.back:
            return sorted(self.back.items(), reverse=True)
        return [row for _, row in sorted((self.back_levels or self.back_display).items())]

    def lay_rows(self) -> list[PriceSize]:
        """List what can be laid, best first, by the same preference as `best`."""
        if self.lay:
            return sorted(self.lay.items())
        return [row for _, row in sorted((self.lay_levels or self.lay_display).items())]


def _set_rows(book: dict[float, float], rows: list[PriceSize]) -> None:
    for price, size in rows:
        if size:
            book[price] = size
        else:
            book.pop(price, None)


def _set_levels(book: dict[int, PriceSize], rows: list[LevelPriceSize]) -> None:
    for level, price, size in rows:
        if size:
            book[level] = (price, size)
        else:
            book.pop(level, None)


def _top(levels: dict[int, PriceSize]) -> PriceSize | None:
    return levels[min(levels)] if levels else None


class SourceMarket:
    """One market at one source; `definition` is None until the source has said what it is.

    `definitions` holds what was last said of each selection, those no longer in the definition included.
    `updated_ms` is the source's publish time of its last change, `heard_ms` our time when it came, `open_since_ms` our time when
    the source opened it last (Unix milliseconds).
    """

    __slots__ = ("books", "definition", "definitions", "heard_ms", "open_since_ms", "source", "source_id", "updated_ms")

    def __init__(self, source: str, source_id: str) -> None:
        self.source = source
        self.source_id = source_id
        self.definition: MarketDefinition | None = None
        self.definitions: dict[str, SelectionDefinition] = {}
        self.books: dict[str, SelectionBook] = {}
        self.updated_ms = 0
        self.heard_ms = 0
        self.open_since_ms = 0

    def define(self, definition: MarketDefinition) -> None:
        """Take a new definition, whole."""
        if definition.status == "open" and (self.definition is None or self.definition.status != "open"):
            self.open_since_ms = self.heard_ms
        self.definition = definition
        for selection in definition.selections:
            self.definitions[selection.source_id] = selection


class SourceBook:
    """All that one source says now.

    Args:
        source: the source's name.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.health: SourceHealth = "down"
        self.health_reason = "not connected yet"
        #: our time when it last became live, Unix milliseconds
        self.live_since_ms = 0
        self.markets: dict[str, SourceMarket] = {}
        self.events: dict[EventId, Event] = {}

    def apply(self, update: FeedUpdate, published_ms: int, heard_ms: int = 0) -> None:
        """Apply one update.

        Args:
            update: what the source said.
            published_ms: when it said so, Unix milliseconds.
            heard_ms: when it was heard, by our clock, Unix milliseconds.
        """
        # Ordered by how often each comes; a market update is over 99 in 100.
        if type(update) is MarketUpdate:
            market = self.markets.get(update.market)
            if market is None:
                market = self.markets[update.market] = SourceMarket(self.source, update.market)
            elif update.image:
                # An image replaces all: whatever it does not name must not stay as a ghost price.
                market.books = {}
                market.definitions = {}
            market.updated_ms = published_ms
            market.heard_ms = heard_ms
            if update.definition is not None:
                market.define(update.definition)
            books = market.books
            for change in update.books:
                book = books.get(change.selection)
                if book is None:
                    book = books[change.selection] = SelectionBook()
                book.apply(change)
        elif type(update) is EventUpdate:
            self.events[update.event.id] = update.event
        elif type(update) is MarketGone:
            self.markets.pop(update.market, None)
        elif type(update) is SourceStatus:
            if update.health == "live" and self.health != "live":
                self.live_since_ms = heard_ms
            self.health = update.health
            self.health_reason = update.reason
