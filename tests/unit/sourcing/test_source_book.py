"""Order books and markets of one source."""

from oddsengine.domain.feed_updates import BookChange, MarketGone, MarketUpdate
from oddsengine.sourcing.source_book import SelectionBook, SourceBook
from tests.support.builders import a_definition


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


def test_every_change_is_a_new_version() -> None:
    """Pricing compares versions to see whether a book has changed."""
    book = SelectionBook()
    assert 0 == book.version
    book.apply(BookChange("x", back=[(2.0, 5.0)]))
    book.apply(BookChange("x", last=2.0))
    assert 2 == book.version
