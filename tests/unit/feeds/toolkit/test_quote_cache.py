"""The quote cache turns complete price lists into changes."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from feeds.toolkit.quote_cache import QuoteCache
from feeds.toolkit.standard_markets import Phase, asian_handicap, match_result, total
from oddsengine.domain.feed_updates import EventUpdate, MarketDefinition, MarketGone, MarketUpdate
from oddsengine.domain.ids import EventId
from oddsengine.sourcing.source_book import SourceBook
from tests.support.builders import an_event

EVENT = EventId("e1")
ODDS = st.dictionaries(st.sampled_from(["home", "draw", "away"]), st.sampled_from([2.1, 3.0, 3.25]))
QUOTED = st.lists(
    st.tuples(st.sampled_from(["result", "over", "line"]), ODDS, st.sampled_from(["open", "suspended"]), st.booleans()),
    max_size=20,
)


def a_market(kind: str, status: str) -> MarketDefinition:
    phase = Phase(status)  # type: ignore[arg-type]
    if kind == "result":
        return match_result(EVENT, "A", "B", phase, three_way=True)
    return total(EVENT, 2.5, phase) if kind == "over" else asian_handicap(EVENT, -0.5, "A", "B", phase)


@given(QUOTED)
def test_the_updates_lead_to_what_was_quoted(quoted: list[tuple[Any, ...]]) -> None:
    quote_cache, book = QuoteCache(), SourceBook("src")
    expected: dict[str, tuple[str, dict[str, float]]] = {}
    for kind, quotes, status, withdrawn in quoted:
        market = a_market(kind, status)
        if withdrawn:
            updates = quote_cache.retain_markets(EVENT, [key for key in expected if key != market.id])
            expected.pop(market.id, None)
        else:
            updates = quote_cache.update_market(market, quotes)
            expected[market.id] = (status, quotes)
        for update in updates:
            book.apply(update, 0)
    held = {
        key: (market.definition.status, {name: each.quote for name, each in market.books.items() if each.quote is not None})
        for key, market in book.markets.items()
        if market.definition is not None
    }
    assert expected == held


@given(ODDS)
def test_an_unchanged_quote_is_no_update(quotes: dict[str, float]) -> None:
    quote_cache = QuoteCache()
    assert quote_cache.update_market(a_market("result", "open"), quotes)
    assert [] == quote_cache.update_market(a_market("result", "open"), quotes)
    assert quote_cache.update_event(an_event())
    assert [] == quote_cache.update_event(an_event())


def test_an_event_whose_last_market_was_withdrawn_is_described_again_with_the_next() -> None:
    """A consumer may have discarded the event in the meantime."""
    quote_cache = QuoteCache()
    quote_cache.update_event(an_event("e1"))
    market = a_market("result", "open")
    quote_cache.update_market(market, {"home": 2.0})
    assert [MarketGone(market.id)] == quote_cache.retain_markets(EVENT, ())
    kinds = [type(update) for update in quote_cache.update_market(market, {"home": 2.0})]
    assert [EventUpdate, MarketUpdate] == kinds
