"""The state of one market between two pricings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from oddsengine.pricing.market.market_book import MarketBook
from oddsengine.pricing.profiles.profile import Profile, ResolvedProfile
from oddsengine.sourcing.selection_book import SelectionBook
from oddsengine.sourcing.source_book import SourceMarket
from tests.support.builders import a_definition, a_quote

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import MarketDefinition


def resolved(*profiles: Profile) -> tuple[ResolvedProfile, ...]:
    return tuple(ResolvedProfile(profile, ()) for profile in profiles or (Profile(),))


def a_market(**odds: float) -> tuple[SourceMarket, MarketDefinition]:
    market, definition = SourceMarket("src", "1.1"), a_definition(selections=tuple(odds))
    market.define(definition)
    for key, value in odds.items():
        market.books[f"s-{key}"] = SelectionBook()
        market.books[f"s-{key}"].apply(a_quote(key, value))
    return market, definition


def test_a_book_is_current_by_identity() -> None:
    market, definition = a_market(home=2.0, away=2.0)
    rules = resolved()
    book = MarketBook(market, definition, rules)
    assert book.is_current(market, definition, rules)
    assert not book.is_current(market, msgspec.structs.replace(definition), rules)
    assert not book.is_current(market, definition, resolved())
    market.books["s-draw"] = SelectionBook()
    assert not book.is_current(market, definition, rules), "another selection has a book"


@pytest.mark.parametrize(
    ("name", "values", "strictest"),
    [("jump_limit", (0.0, 0.3, 0.2), 0.2), ("pool_limit", (0.1, 0.02, 0.05), 0.02), ("suspend", (False, True, False), True)],
)
def test_the_strictest_limit_of_all_profiles_applies(name: str, values: tuple[Any, ...], strictest: Any) -> None:
    book = MarketBook(*a_market(home=2.0, away=2.0), resolved(*(Profile(**{name: value}) for value in values)))
    assert strictest == getattr(book, name)


def test_only_what_moved_changes() -> None:
    market, definition = a_market(home=3.0, draw=3.0, away=3.0)
    book = MarketBook(market, definition, resolved())
    assert book.imply() is None
    assert ({"home": None, "draw": None, "away": None}, None) == book.price()
    book.is_open = True
    assert book.imply() is None
    assert ({}, None) == book.price()
    market.books["s-home"].apply(a_quote("home", 3.001))
    assert book.imply() is None
    assert ({}, None) == book.price(), "moved, but not to another tick"
    market.books["s-home"].apply(a_quote("home", 2.95))
    assert book.imply() is None
    changed, refusal = book.price()
    assert refusal is None
    assert "home" in changed


def test_profiles_with_other_inputs_have_probabilities_of_their_own() -> None:
    strict = Profile(exchange=msgspec.structs.replace(Profile().exchange, max_spread=0.001))
    book = MarketBook(*a_market(home=2.0, away=2.0), resolved(Profile(), strict, Profile(book_sum=1.25)))
    book.imply()
    book.price()
    assert (1900, None, 1600) == book.prices("home")
    assert (None, None, None) == book.prices("unknown")
    assert {"home", "away"} == book.fair().keys(), "as the first profile has them"


def test_the_min_book_sum_is_over_the_best_prices() -> None:
    profiles = (Profile(book_sum=1.05, shift={"home": 0.1}), Profile(book_sum=1.05, shift={"away": 0.1}))
    book = MarketBook(*a_market(home=2.0, away=2.0), resolved(*profiles))
    book.imply()
    book.price()
    best = [max(price or 0 for price in book.prices(key)) for key in ("home", "away")]
    total = book.min_book_sum()
    assert total is not None
    assert sum(1000 / price for price in best) == pytest.approx(total)
    assert book.has_arbitrage() is (total < 1)
