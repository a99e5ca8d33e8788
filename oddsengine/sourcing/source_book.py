"""The current state of one source: its events, markets, definitions and order books, under the provider's own ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from oddsengine.common import speedups
from oddsengine.domain.changes import MarketTerms
from oddsengine.domain.feed_updates import (
    EventUpdate,
    MarketGone,
    MarketUpdate,
    SourceStatus,
)
from oddsengine.sourcing.selection_book import SelectionBook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from oddsengine.domain.events import Event
    from oddsengine.domain.feed_updates import (
        BookChange,
        FeedUpdate,
        MarketDefinition,
        SelectionDefinition,
        SourceHealth,
    )
    from oddsengine.domain.ids import EventId


#: The statuses of selections that may still win.
_CAN_WIN: Final = frozenset({"active", "suspended"})
_NO_SELECTIONS: Final[frozenset[str]] = frozenset()
#: How many markets that a source has withdrawn are kept, to compare what they come back with.
_KEPT_GONE: Final = 1000
#: The share of what a removed selection took of the book sum that new quotes of the others must have taken over.
_TAKEN_OVER: Final = 0.5


def apply_in_python(
    books: dict[str, SelectionBook], changes: Iterable[BookChange], traded_ms: int, new_book: Callable[[], SelectionBook]
) -> int:
    """Apply changes to the books of their selections. Return how many may have moved what a price follows from."""
    moves = 0
    for change in changes:
        book = books.get(change.selection)
        if book is None:
            book = books[change.selection] = new_book()
        moves += book.apply(change, traded_ms)
    return moves


class SourceMarket:
    """One market at one source; `definition` is None until the source has sent one.

    `definitions` holds the latest definition of each selection, including those that the market no longer has. Of the last
    change, `updated_ms` is the source's publish time and `received_ms` our time of receipt; `open_since_ms` is our time when the
    source last opened the market. All are Unix milliseconds. `replaced` holds the books, by selection, that an image or a return
    replaced and that have not been quoted since. `quotes_at_removal` holds all quotes, by selection, at the removal of one, until
    those of the others account for it; None otherwise. `terms` holds the limit and the bet delay, None where the
    source says neither: they change more often than the definition, which then stays the same object.
    """

    __slots__ = (
        "_gone",
        "books",
        "definition",
        "definitions",
        "moves",
        "open_since_ms",
        "quotes_at_removal",
        "received_ms",
        "removed",
        "replaced",
        "source",
        "source_id",
        "terms",
        "updated_ms",
    )

    def __init__(self, source: str, source_id: str, gone: SourceMarket | None = None) -> None:
        self.source = source
        self.source_id = source_id
        #: the same market as it was when the source withdrew it, until this one has a definition
        self._gone = gone
        #: the selections whose removal `quotes_at_removal` was before
        self.removed = _NO_SELECTIONS
        self.definition: MarketDefinition | None = None
        self.definitions: dict[str, SelectionDefinition] = {}
        self.books: dict[str, SelectionBook] = {}
        #: how often the best offers, the last trade or the quote of a selection has changed
        self.moves = 0
        self.replaced = {} if gone is None else gone.quoted()
        self.updated_ms = 0
        self.received_ms = 0
        self.open_since_ms = 0
        self.quotes_at_removal: dict[str, float] | None = None
        self.terms: MarketTerms | None = None

    def define(self, definition: MarketDefinition, books: Mapping[str, SelectionBook] | None = None) -> None:
        """Replace the definition. One that equals the last is that one, so that what is keyed by its identity stays valid.

        Their limits and bet delays are not compared.

        Args:
            definition: the new one.
            books: the selections' books under the earlier definition; None for the present ones.
        """
        limit, bet_delay_s = definition.limit, definition.bet_delay_s
        if limit is not None or bet_delay_s is not None:
            terms = MarketTerms(False, limit, bet_delay_s)
            self.terms = self.terms if terms == self.terms else terms
            definition = msgspec.structs.replace(definition, limit=None, bet_delay_s=None)
        else:
            self.terms = None
        if definition == self.definition:
            definition = self.definition
        elif self.definition is not None:
            self._note_removal(self.definition, definition, self.books if books is None else books)
        if definition.status == "open" and (self.definition is None or self.definition.status != "open"):
            self.open_since_ms = self.received_ms
        self.definition = definition
        for selection in definition.selections:
            self.definitions[selection.source_id] = selection
        gone, self._gone = self._gone, None
        if gone is not None and gone.definition is not None:
            self.quotes_at_removal, self.removed = gone.quotes_at_removal, gone.removed
            self._note_removal(gone.definition, definition, gone.books)

    def _note_removal(self, before: MarketDefinition, after: MarketDefinition, books: Mapping[str, SelectionBook]) -> None:
        """Keep the quotes from beside a selection that can't win any more, and drop them once it is back."""
        removed = _removed(before, after)
        if removed:
            self.quotes_at_removal = {key: book.quote for key, book in books.items() if book.quote is not None} or None
            self.removed = removed
        elif self.quotes_at_removal is not None and self.removed <= _can_win(after):
            self.quotes_at_removal = None

    def quoted(self) -> dict[str, SelectionBook]:
        """Return the last books of all selections that were quoted, to compare them with those that come, in whichever update."""
        return {key: book for key, book in (self.replaced | self.books).items() if not book.is_empty}

    def clear(self) -> None:
        """Drop what an image replaces."""
        self.replaced, self.books, self.definitions = self.quoted(), {}, {}

    def compare(self) -> None:
        """Compare what an update left with what was there: what it repeats of what was replaced, and quotes after a removal."""
        for key in [key for key in self.replaced if key in self.books]:
            book, now = self.replaced.pop(key), self.books[key]
            if now.equals(book):
                # A repetition is no update: it confirms nothing.
                self.books[key] = book
            elif now.last == book.last:
                now.last_ms = book.last_ms
        self._check_requoted()

    def _check_requoted(self) -> None:
        """Clear `quotes_at_removal` once all quotes that are left have moved, or sum to nearly what they all did.

        The share of a selection whose quote was withdrawn before it was removed is not known: then all have to move.
        """
        before, definition = self.quotes_at_removal, self.definition
        if before is None or definition is None:
            return
        left = {each.source_id for each in definition.selections if each.status in _CAN_WIN}
        quotes = {key: book.quote for key, book in self.books.items() if key in left and book.quote is not None}
        has_all_moved = bool(quotes) and all(quote != before.get(key) for key, quote in quotes.items())
        removed = sum(1.0 / quote for key, quote in before.items() if key not in left)
        missing = sum(1.0 / quote for quote in before.values()) - sum(1.0 / quote for quote in quotes.values())
        if has_all_moved or (removed > 0.0 and missing <= removed * (1.0 - _TAKEN_OVER)):
            self.quotes_at_removal = None


def _removed(before: MarketDefinition, after: MarketDefinition) -> frozenset[str]:
    """Return the selections that could win and no longer can, or have won, in a market that goes on."""
    return _NO_SELECTIONS if before.selections is after.selections else _can_win(before) - _can_win(after)


def _can_win(definition: MarketDefinition) -> frozenset[str]:
    return frozenset([selection.source_id for selection in definition.selections if selection.status in _CAN_WIN])


class SourceBook:
    """The current state of one source.

    Args:
        source: the source's name.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.health: SourceHealth = "down"
        self.health_reason = "not connected yet"
        #: our time when the source last became live, Unix milliseconds
        self.live_since_ms = 0
        self.markets: dict[str, SourceMarket] = {}
        self.events: dict[EventId, Event] = {}
        #: the markets withdrawn last: a selection that is missing when one comes back was removed meanwhile
        self._gone: dict[str, SourceMarket] = {}

    def apply(self, update: FeedUpdate, published_ms: int, received_ms: int = 0) -> None:
        """Apply one update.

        Args:
            update: the update.
            published_ms: the source's publish time, Unix milliseconds.
            received_ms: our time of receipt, Unix milliseconds.
        """
        # Ordered by frequency: over 99 % are market updates.
        if type(update) is MarketUpdate:
            market = self.markets.get(update.market)
            before = None
            if market is None:
                gone = self._gone.pop(update.market, None)
                market = self.markets[update.market] = SourceMarket(self.source, update.market, gone)
            elif update.image:
                # An image replaces everything: a price that it does not contain must not survive.
                before = market.books
                market.clear()
            market.updated_ms = published_ms
            market.received_ms = received_ms
            if update.definition is not None:
                market.define(update.definition, before)
            # An image, or what a source sends before it is live, repeats trades of any age.
            traded_ms = 0 if update.image or self.health != "live" else received_ms
            apply = apply_in_python if speedups.books is None else speedups.books.apply
            market.moves += apply(market.books, update.books, traded_ms, SelectionBook)
            if market.replaced or market.quotes_at_removal is not None:
                market.compare()
        elif type(update) is EventUpdate:
            self.events[update.event.id] = update.event
        elif type(update) is MarketGone:
            self._withdraw(update.market)
        elif type(update) is SourceStatus:
            if update.health == "live" and self.health != "live":
                self.live_since_ms = received_ms
            self.health = update.health
            self.health_reason = update.reason

    def _withdraw(self, source_id: str) -> None:
        market = self.markets.pop(source_id, None)
        if market is None or market.definition is None:
            return
        self._gone[source_id] = market
        if len(self._gone) > _KEPT_GONE:
            del self._gone[next(iter(self._gone))]
