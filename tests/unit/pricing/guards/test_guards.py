"""Guards suspend a market whose prices may be wrong, and explanations show them."""

from __future__ import annotations

from typing import Any

import pytest

from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketUpdate
from oddsengine.domain.ids import MarketId
from oddsengine.engine.explain import explain
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.methods.fair import ExchangeLimits, fair_from_quotes
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.pricing.profiles.rules import Rule
from tests.support.builders import a_batch, a_definition, a_quote, an_event, live

MARKET = MarketId("e1/match_odds")


class OneMarket:
    """A pipeline with one market."""

    def __init__(self, *sources: str, **profiles: Profile) -> None:
        self.pipeline = Pipeline(Pricer(profiles), sources or ("src",))
        self.now_ms = 0
        for source in self.pipeline.books:
            self.pipeline.receive(live(source), 0)

    def update(self, source: str = "src", keys: tuple[str, ...] = ("home", "away"), **odds: float) -> None:
        self.now_ms += 1
        books = [a_quote(key, value) for key, value in odds.items()]
        known = self.pipeline.books[source].markets
        definition = None if "1.1" in known else a_definition(selections=keys)
        update = MarketUpdate("1.1", definition=definition, books=books)
        self.pipeline.receive(a_batch(EventUpdate(an_event()), update, source=source), self.now_ms)
        self.pipeline.flush(0, self.now_ms)

    @property
    def state(self) -> tuple[str, str | None]:
        record = self.pipeline.offers[0].markets[MARKET]
        return record.state.status, record.state.reason

    @property
    def prices(self) -> dict[str, tuple[int | None, ...]]:
        return {key: record.prices for key, record in self.pipeline.offers[0].markets[MARKET].selections.items()}

    def guard(self, name: str) -> dict[str, Any]:
        explanation = explain(self.pipeline, MARKET, self.now_ms)
        assert explanation is not None
        (found,) = [guard for guard in explanation["guards"] if guard["guard"] == name]
        assert isinstance(found, dict)
        return found


def test_arbitrage_between_profiles_suspends() -> None:
    market = OneMarket(
        one=Profile(book_sum=1.0, ladder="decimal_3", shift={"home": 0.1}),
        other=Profile(book_sum=1.0, ladder="decimal_3", shift={"away": 0.1}),
    )
    market.update(home=2.0, away=2.0)
    assert ("suspended", "arbitrage") == market.state
    assert market.guard("arbitrage")["suspends"]
    assert market.guard("arbitrage")["value"] < 1


def test_profiles_without_arbitrage_are_open() -> None:
    market = OneMarket(one=Profile(book_sum=1.05, shift={"home": 0.02}), other=Profile(book_sum=1.05, shift={"away": 0.02}))
    market.update(home=2.0, away=2.0)
    assert ("open", None) == market.state
    assert not market.guard("arbitrage")["suspends"]


def test_a_jump_is_corroborated_by_another_source() -> None:
    market = OneMarket("src", "other", default=Profile(jump_limit=0.2))
    market.update(home=2.0, away=2.0)
    market.update("other", home=1.3, away=4.3)
    assert ("open", None) == market.state
    market.update(home=1.3, away=4.3)
    assert ("open", None) == market.state, "the other source was there already"
    market.update(home=2.6, away=1.62)
    assert ("suspended", "spike") == market.state, "no other source is there"
    assert market.guard("spike")["suspends"]


def test_a_new_image_does_not_hide_a_jump() -> None:
    market = OneMarket(default=Profile(jump_limit=0.2))
    market.update(home=2.0, away=2.0)
    image = MarketUpdate("1.1", image=True, definition=a_definition(), books=[a_quote("home", 1.3), a_quote("away", 4.3)])
    market.pipeline.receive(a_batch(image), 50)
    market.pipeline.flush(0, 50)
    assert ("suspended", "spike") == market.state


@pytest.mark.parametrize(
    ("rule", "reason"),
    [({"suspend": True}, "rule"), ({"require_complete_book": True}, "no_price"), ({"max_spread": 0.001}, "no_price")],
)
def test_rules_suspend(rule: dict[str, Any], reason: str) -> None:
    market = OneMarket(default=Profile(rules=(Rule(sport="football", **rule),)))
    market.update(keys=("home", "draw", "away"), home=3.0, away=3.0)
    assert ("suspended", reason) == market.state


def test_rules_match_tiers_of_competitions() -> None:
    profile = Profile(book_sum=1.2, ladder="decimal_3", rules=(Rule(tier="top", book_sum=1.0),))
    pipeline = Pipeline(Pricer({"default": profile}, {"low": ("other*",), "top": ("x", "Cu?")}), ("src",))
    pipeline.receive(live(), 0)
    update = MarketUpdate("1.1", definition=a_definition(), books=[a_quote("home", 2.0), a_quote("away", 2.0)])
    pipeline.receive(a_batch(EventUpdate(an_event(competition="cup")), update), 1)
    pipeline.flush(0, 1)
    assert (2000,) == pipeline.offers[0].markets[MARKET].selections["home"].prices


def test_a_thin_book_is_not_used() -> None:
    deep = [BookChange(f"s-{key}", back=[(1.98, 30.0), (1.97, 30.0)], lay=[(2.02, 70.0)]) for key in ("home", "away")]
    for min_depth, price in ((50.0, 1900), (70.0, None)):
        limits = ExchangeLimits(min_depth=min_depth)
        market = OneMarket(default=Profile(exchange=limits))
        market.pipeline.receive(a_batch(EventUpdate(an_event()), MarketUpdate("1.1", definition=a_definition(), books=deep)), 1)
        market.pipeline.flush(0, 1)
        assert (price,) == market.prices["home"]


def test_books_are_normalised_by_the_configured_method() -> None:
    found = []
    for method in ("multiplicative", "power"):
        market = OneMarket(default=Profile(book_sum=1.0, ladder="decimal_3", exchange=ExchangeLimits(normalise=method)))
        market.update(home=1.22, away=5.4)
        found.append(market.prices)
    assert found[0] != found[1]
    assert all(1000 / each["home"][0] + 1000 / each["away"][0] >= 1.0 - 1e-9 for each in found)  # type: ignore[operator]


def test_a_source_of_known_overround_is_used_with_a_price_missing() -> None:
    assert [None, None] == fair_from_quotes([2.0, None], 1, "shin")
    (known, unknown) = fair_from_quotes([2.0, None], 1, "shin", 1.25)
    assert known is not None
    assert (0.4, None) == (pytest.approx(known.probability), unknown)
    assert [None, None] == fair_from_quotes([1.01, None], 1, "shin", 0.5)


def test_a_price_in_steps_arrives_without_further_updates() -> None:
    market = OneMarket(default=Profile(max_move=0.05, book_sum=1.1))
    market.update(home=2.0, away=2.0)
    market.update(home=3.0, away=1.5)
    on_the_way = market.prices["home"][0]
    for second in range(1, 30):
        market.pipeline.tick(second * 1000)
        market.pipeline.flush(0, second * 1000)
    arrived = OneMarket(default=Profile(book_sum=1.1))
    arrived.update(home=3.0, away=1.5)
    assert on_the_way != market.prices["home"][0]
    assert arrived.prices == market.prices


def test_the_explanation_of_a_damped_price_ends_with_the_published_price() -> None:
    market = OneMarket(default=Profile(min_move=0.05))
    market.update(home=2.0, away=2.0)
    market.update(home=2.03, away=1.97)
    explanation = explain(market.pipeline, MARKET, 5)
    assert explanation is not None
    shown = explanation["selections"]["home"]["profiles"]["default"]
    assert "held" == shown["steps"][-1]["step"]
    assert market.prices["home"][0] == 1000 * shown["price"] == 1000 * shown["steps"][-1]["odds"]
    assert explanation["profiles"]["default"]["value"] >= explanation["profiles"]["default"]["limit"]
