"""Whether fresh images agree with the book held."""

from __future__ import annotations

from typing import Any

import pytest

from oddsengine.domain.feed_updates import BookChange, MarketGone, MarketUpdate
from oddsengine.sourcing.agreement import agrees
from oddsengine.sourcing.source_book import SourceBook
from tests.support.builders import a_batch, a_definition


def an_image(market: str = "1.1", status: str = "open", **changes: Any) -> MarketUpdate:
    change = {"back": [(2.0, 5.0)], "lay": [(2.1, 5.0)], **changes}
    return MarketUpdate(market, image=True, definition=a_definition(status=status), books=[BookChange("s-home", **change)])


def a_book(*updates: MarketUpdate) -> SourceBook:
    book = SourceBook("src")
    for update in updates or (an_image(),):
        book.apply(update, 1)
    return book


def test_an_equal_image_agrees_and_changes_nothing() -> None:
    book = a_book()
    assert agrees(book, a_batch(an_image()))
    assert 1 == book.markets["1.1"].books["s-home"].version


@pytest.mark.parametrize(
    "update",
    [
        an_image(back=[(2.02, 5.0)]),
        an_image(lay=[(2.1, 4.0)]),
        an_image(back_levels=[(0, 2.0, 5.0)]),
        an_image(quote=2.0),
        an_image(status="suspended"),
        an_image("1.2"),
        MarketUpdate("1.1", image=True, definition=a_definition()),
        MarketUpdate("1.1", books=[BookChange("s-home", back=[(2.0, 5.0)])]),
        MarketGone("1.1"),
    ],
    ids=["price", "size", "level", "quote", "status", "unknown market", "no books", "not an image", "removed"],
)
def test_a_difference_disagrees(update: MarketUpdate | MarketGone) -> None:
    assert not agrees(a_book(), a_batch(update))


def test_the_last_traded_price_is_not_compared() -> None:
    """It may be missing from an image of a quiet market."""
    assert agrees(a_book(an_image(last=2.0)), a_batch(an_image()))


def test_a_closed_market_may_be_missing_from_the_images() -> None:
    assert agrees(a_book(an_image(status="closed")), a_batch(MarketGone("1.1"), MarketGone("1.9")))
