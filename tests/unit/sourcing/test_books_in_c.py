"""The loop over changed books in C does what the one in Python does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.adapters.betfair.market_stream import MarketStream
from oddsengine.common import speedups
from oddsengine.domain.feed_updates import BookChange
from oddsengine.sourcing.selection_book import SelectionBook
from oddsengine.sourcing.source_book import apply_in_python
from tests.support.laws.examples import examples

pytestmark = pytest.mark.skipif(speedups.books is None, reason="the loop in C is not built")

BOOKS: Any = speedups.books
prices = st.sampled_from((1.5, 1.6, 1.7, 2, 2.5))
sizes = st.sampled_from((0, 0.0, 3, 4.5))
#: also as JSON has them
row = st.tuples(prices, sizes) | st.tuples(prices, sizes).map(list)
rows: Any = st.none() | st.lists(row, max_size=4)
levels = st.none() | st.lists(st.tuples(st.integers(0, 2), prices, sizes), max_size=2)
changes = st.builds(
    BookChange, st.sampled_from("abc"), rows, rows, levels, levels, levels, levels, st.none() | prices, st.none() | sizes
)


def contents(books: dict[str, SelectionBook]) -> dict[str, list[Any]]:
    names = SelectionBook.__slots__
    return {key: [repr(getattr(book, name)) for name in names] + [book.best()] for key, book in books.items()}


@examples(60)
@given(messages=st.lists(st.lists(changes, max_size=4), max_size=6), is_read=st.booleans())
def test_both_have_the_same_books(messages: list[list[BookChange]], is_read: bool) -> None:
    in_c: dict[str, SelectionBook] = {}
    in_python: dict[str, SelectionBook] = {}
    for number, message in enumerate(messages):
        moves = apply_in_python(in_python, message, number, SelectionBook)
        assert moves == BOOKS.apply(in_c, message, number, SelectionBook)
        for book in (*in_c.values(), *in_python.values()) if is_read else ():
            book.best()
    assert contents(in_python) == contents(in_c)


def test_both_read_the_same_changes_of_runners() -> None:
    line = (
        b'{"op":"mcm","pt":1,"mc":[{"id":"1.1","rc":[{"id":5,"hc":-0.5,"atb":[[2.0,3.5]],"ltp":2.0},'
        b'{"id":5,"hc":-0.5,"batl":[[0,2.1,1]]},{"id":6,"bdatb":[],"bdatl":[[1,3,0]],"batb":[],"atl":[]}]}]}'
    )
    in_c = MarketStream("src").read_line(line)
    speedups.books = None
    try:
        assert repr(MarketStream("src").read_line(line)) == repr(in_c)
    finally:
        speedups.books = BOOKS
    assert "'5@-0.5'" in repr(in_c)
    assert "'6'" in repr(in_c)


@pytest.mark.parametrize("wrong", [("ab", {}), ([], []), (["a"], {})])
def test_what_is_no_runner_is_an_error(wrong: Any) -> None:
    with pytest.raises((TypeError, AttributeError)):
        BOOKS.read_runners(*wrong, str, BookChange)


@pytest.mark.parametrize("wrong", ["ab", [BookChange("a", back=[(2.0,)])], [BookChange("a", lay=(2.0, 1.0))], ["a"]])  # type: ignore[list-item, arg-type]
def test_what_is_no_change_is_an_error(wrong: Any) -> None:
    with pytest.raises((TypeError, AttributeError)):
        BOOKS.apply({}, wrong, 0, SelectionBook)
