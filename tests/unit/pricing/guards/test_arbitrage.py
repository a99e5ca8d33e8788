"""Arbitrage between the lines of a ladder: all markets that take part know of each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.pricing.guards.arbitrage import ArbitrageGuard
from oddsengine.pricing.market.lines import LineLadders
from oddsengine.pricing.market.market_book import MarketBook
from oddsengine.pricing.profiles.profile import Profile, ResolvedProfile
from oddsengine.sourcing.selection_book import SelectionBook
from oddsengine.sourcing.source_book import SourceMarket
from tests.support.builders import a_definition, a_quote


def a_line(line: float, over: float) -> MarketBook:
    """A priced total by the fair probability of over, without a margin."""
    market = SourceMarket("src", f"1.{line}")
    definition = a_definition(f"e1/total/ft/{line:g}", ("over", "under"), type="total", line=line)
    market.define(definition)
    for change in (a_quote("over", 1 / over), a_quote("under", 1 / (1 - over))):
        market.books[change.selection] = SelectionBook()
        market.books[change.selection].apply(change)
    profile = Profile(book_sum=1.0, ladder="decimal_3", pool_limit=0.5)
    book = MarketBook(market, definition, (ResolvedProfile(profile, ()),))
    book.imply()
    book.price()
    return book


CHANGES = st.lists(st.tuples(st.sampled_from([0.5, 1.5, 2.5]), st.one_of(st.none(), st.floats(0.2, 0.8))), max_size=12)


@given(CHANGES)
def test_repeated_checks_settle_on_the_verdict_of_a_first_check(changes: list[tuple[float, float | None]]) -> None:
    """Law: once all unchecked markets have been checked, each has the verdict a new guard gives it."""
    lines = LineLadders()
    guard = ArbitrageGuard(lines)
    books: dict[float, MarketBook] = {}
    verdicts: dict[float, bool] = {}
    for line, over in changes:
        if line in books:
            lines.remove(books[line])
        if over is None:
            if line in books:
                guard.forget(books.pop(line).definition.id)
                verdicts.pop(line)
        else:
            books[line] = a_line(line, over)
            lines.add(books[line])
            verdicts[line], _ = guard.check(books[line])
        for other, book in books.items():
            if book.definition.id in guard.unchecked:
                verdicts[other], _ = guard.check(book)
        assert {each: ArbitrageGuard(lines).check(book)[0] for each, book in books.items()} == verdicts


def test_a_line_that_leaves_frees_its_partners() -> None:
    lines = LineLadders()
    guard = ArbitrageGuard(lines)
    low, high = a_line(1.5, 0.4), a_line(2.5, 0.6)
    lines.add(low)
    assert (False, set()) == guard.check(low)
    lines.add(high)
    assert (True, {low.definition.id}) == guard.check(high)
    assert (True, set()) == guard.check(low)
    assert (True, set()) == guard.check(high)
    lines.remove(high)
    assert {low.definition.id} == guard.forget(high.definition.id)
    assert low.definition.id in guard.unchecked
    assert not guard.check(low)[0]
