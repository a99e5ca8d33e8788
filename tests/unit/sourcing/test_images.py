"""The images of a source book, applied to an empty one, make the same one."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketGone, MarketUpdate
from oddsengine.sourcing.images import event_images, market_images
from oddsengine.sourcing.source_book import SourceBook
from tests.support.builders import a_definition, a_quote, an_event

NOW_MS = 1_000_000
_MARKETS = st.sampled_from(("1.1", "1.2"))
_KEYS = st.sampled_from(("home", "draw", "away"))
_ODDS = st.floats(1.2, 9.0).map(lambda odds: round(odds, 2))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("quote"), _MARKETS, _KEYS, _ODDS),
        st.tuples(st.just("exchange"), _MARKETS, _KEYS, _ODDS),
        st.tuples(st.just("last"), _MARKETS, _KEYS, _ODDS),
        st.tuples(
            st.just("define"),
            _MARKETS,
            st.sampled_from(("open", "suspended", "closed")),
            st.sets(_KEYS, max_size=1),
            st.sampled_from((None, 250.0)),
        ),
        st.tuples(st.just("gone"), _MARKETS),
    ),
    max_size=30,
)


def update_of(step: tuple[Any, ...]) -> Any:
    """Return the update of a step."""
    what, market, *rest = step
    if what == "gone":
        return MarketGone(market)
    if what == "define":
        status, removed, limit = rest
        definition = a_definition(
            f"e{market}/match_odds", ("home", "draw", "away"), status=status, removed=tuple(removed), limit=limit
        )
        return MarketUpdate(market, definition=definition)
    key, odds = rest
    if what == "quote":
        return MarketUpdate(market, books=[BookChange(f"s-{key}", quote=odds)])
    return MarketUpdate(market, books=[a_quote(key, odds) if what == "exchange" else BookChange(f"s-{key}", last=odds)])


def state(book: SourceBook) -> dict[str, Any]:
    """Return what a book holds, apart from counters and from when trades were made."""
    return {
        key: (
            market.definition,
            market.terms,
            market.updated_ms,
            market.received_ms,
            market.quotes_at_removal,
            {
                name: (each.back, each.lay, each.back_levels, each.lay_levels, each.last, each.quote)
                for name, each in market.books.items()
                if each.back_levels or each.lay_levels or each.last is not None or each.quote is not None
            },
        )
        for key, market in book.markets.items()
    }


def copy_of(book: SourceBook) -> SourceBook:
    copied = SourceBook(book.source)
    for age_ms, batch in [event_images(book), *market_images(book, list(book.markets), NOW_MS)]:
        at_ms = NOW_MS - age_ms
        for update in batch.updates:
            copied.apply(update, at_ms if batch.published_ms is None else batch.published_ms, at_ms)
    return copied


@given(STEPS)
def test_images_make_the_same_book(steps: list[tuple[Any, ...]]) -> None:
    book = SourceBook("src")
    book.apply(EventUpdate(an_event("e1.1")), 0)
    for number, step in enumerate(steps):
        at_ms = 1_000 * number
        # Some providers give no time: then it is that of receipt.
        book.apply(update_of(step), at_ms - 7 * (number % 2), at_ms)
    copied = copy_of(book)
    assert (book.events, state(book)) == (copied.events, state(copied))
