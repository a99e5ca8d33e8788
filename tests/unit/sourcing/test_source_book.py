"""Order books and markets of one source."""

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.feed_updates import BookChange, MarketGone, MarketUpdate
from oddsengine.sourcing.selection_book import SelectionBook
from oddsengine.sourcing.source_book import SourceBook
from tests.support.builders import a_definition

Rows = list[tuple[float, float]]


def test_a_size_of_zero_deletes_a_price_if_there_is_one() -> None:
    book = SelectionBook()
    book.apply(BookChange("x", back=[(2.0, 5.0), (1.9, 7.0)]))
    book.apply(BookChange("x", back=[(2.0, 0.0), (3.0, 0.0)]))
    assert [(1.9, 7.0)] == book.back_rows()
    assert ((1.9, 7.0), None) == book.best()


def test_the_full_ladder_is_preferred_to_best_offers_and_those_to_display_levels() -> None:
    book = SelectionBook()
    book.apply(BookChange("x", back_display=[(0, 1.5, 1.0)], lay_display=[(0, 1.6, 1.0)]))
    assert ([(1.5, 1.0)], [(1.6, 1.0)]) == (book.back_rows(), book.lay_rows())
    book.apply(BookChange("x", back_levels=[(1, 1.7, 1.0), (0, 1.8, 1.0)]))
    assert [(1.8, 1.0), (1.7, 1.0)] == book.back_rows()
    book.apply(BookChange("x", back=[(1.9, 2.0)]))
    assert [(1.9, 2.0)] == book.back_rows()
    assert (1.9, 2.0) == book.best()[0]


def test_the_best_back_is_the_highest_and_the_best_lay_the_lowest() -> None:
    book = SelectionBook()
    book.apply(BookChange("x", back=[(1.9, 1.0), (2.0, 1.0)], lay=[(2.2, 1.0), (2.1, 1.0)]))
    assert ((2.0, 1.0), (2.1, 1.0)) == book.best()


def test_an_image_replaces_the_market() -> None:
    """Merged into the old book, it would leave prices that no longer exist."""
    book = SourceBook("src")
    book.apply(
        MarketUpdate("1.1", image=True, definition=a_definition(), books=[BookChange("s-home", back=[(2.0, 5.0)], last=2.0)]), 1
    )
    book.apply(MarketUpdate("1.1", image=True, definition=a_definition(selections=("away",)), books=[]), 2)
    assert {} == book.markets["1.1"].books
    assert ["s-away"] == list(book.markets["1.1"].definitions)


def test_removing_a_market_removes_it_if_there_is_one() -> None:
    book = SourceBook("src")
    book.apply(MarketUpdate("1.1"), 1)
    book.apply(MarketGone("1.1"), 2)
    book.apply(MarketGone("1.9"), 2)
    assert {} == book.markets


PRICES = st.sampled_from([1.5, 2.0, 3.0])
ROWS = st.lists(st.tuples(PRICES, st.sampled_from([0.0, 1.0, 5.0])), max_size=3)


@given(st.lists(st.tuples(ROWS, ROWS)))
def test_the_best_offers_are_those_of_all_rows_and_change_with_their_version(changes: list[tuple[Rows, Rows]]) -> None:
    book = SelectionBook()
    for back, lay in changes:
        before, version = book.best(), book.best_version
        book.apply(BookChange("x", back=back, lay=lay))
        assert (next(iter(book.back_rows()), None), next(iter(book.lay_rows()), None)) == book.best()
        assert before == book.best() or version < book.best_version


def test_a_change_deep_in_the_book_is_not_one_of_its_best_offers() -> None:
    """Pricing skips such changes, which are most of an exchange's."""
    book = SelectionBook()
    book.apply(BookChange("x", back=[(2.0, 5.0)], lay=[(2.1, 5.0)]))
    book.best()
    versions = book.version, book.best_version
    book.apply(BookChange("x", back=[(1.9, 5.0)], lay=[(2.2, 5.0)]))
    assert (versions[0] + 1, versions[1]) == (book.version, book.best_version)


def test_a_definition_that_equals_the_last_is_that_one() -> None:
    """Providers repeat definitions; what pricing keeps of a market is keyed by their identity."""
    book = SourceBook("src")
    first = a_definition()
    book.apply(MarketUpdate("1.1", definition=first), 1)
    book.apply(MarketUpdate("1.1", definition=a_definition()), 2)
    assert first is book.markets["1.1"].definition
    book.apply(MarketUpdate("1.1", definition=a_definition(status="suspended")), 3)
    assert a_definition(status="suspended") == book.markets["1.1"].definition


def test_every_change_is_a_new_version() -> None:
    """Pricing compares versions to see whether a book has changed."""
    book = SelectionBook()
    assert 0 == book.version
    book.apply(BookChange("x", back=[(2.0, 5.0)]))
    book.apply(BookChange("x", last=2.0))
    assert 2 == book.version
