"""A source book as JSON-ready values."""

from __future__ import annotations

import orjson

from oddsengine.domain.feed_updates import BookChange, MarketUpdate
from oddsengine.sourcing.dump import dump_book
from oddsengine.sourcing.source_book import SourceBook
from tests.support.builders import a_definition


def test_a_dump_has_every_runner_that_is_defined_or_priced() -> None:
    book = SourceBook("src")
    home = BookChange("s-home", back=[(1.9, 1.0), (2.0, 5.0)], lay=[(2.2, 1.0), (2.1, 3.0)], last=2.02)
    book.apply(MarketUpdate("1.1", definition=a_definition(), books=[home, BookChange("s-other", back=[(9.0, 1.0)])]), 1)
    (market,) = dump_book(book, at_ms=1234)
    assert {
        "at": 1234,
        "market": "1.1",
        "status": "open",
        "in_play": False,
        "runners": {
            "s-home": {"status": "active", "back": [[2.0, 5.0], [1.9, 1.0]], "lay": [[2.1, 3.0], [2.2, 1.0]], "last": 2.02},
            "s-away": {"status": "active", "back": [], "lay": [], "last": None},
            "s-other": {"status": None, "back": [[9.0, 1.0]], "lay": [], "last": None},
        },
    } == market
    assert market == orjson.loads(orjson.dumps(market))


def test_a_market_without_a_definition_has_no_status() -> None:
    book = SourceBook("src")
    book.apply(MarketUpdate("1.1", books=[BookChange("s-home", last=2.0)]), 1)
    book.apply(MarketUpdate("1.0"), 1)
    assert [("1.1", None), ("1.0", None)] == [(market["market"], market["status"]) for market in dump_book(book, 1)]
