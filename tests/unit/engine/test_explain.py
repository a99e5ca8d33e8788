"""Explanations end with the published prices; their keys are part of the HTTP API."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.feed_updates import BookChange, MarketUpdate, SourceStatus
from oddsengine.domain.ids import MarketId
from oddsengine.engine.explain import explain
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_batch, a_definition, a_quote, live, market_updates

MARKET = MarketId("e1/match_odds")


def a_pipeline(**profiles: Profile) -> Pipeline:
    """A pipeline with one open market."""
    pipeline = Pipeline(Pricer(profiles or {"default": Profile()}), ("src",))
    pipeline.receive(live(), 1)
    update(pipeline, *market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
    return pipeline


def update(pipeline: Pipeline, *updates: Any) -> None:
    pipeline.receive(a_batch(*updates), 1)
    pipeline.flush(0, 1)


def explained(pipeline: Pipeline) -> dict[str, Any]:
    explanation = explain(pipeline, MARKET, 1)
    assert explanation is not None
    return explanation


def test_selections_are_in_the_order_of_their_market() -> None:
    pipeline = Pipeline(Pricer({"default": Profile()}), ("src",))
    pipeline.receive(live(), 1)
    keys = ("away", "draw", "home")
    update(pipeline, *market_updates(a_definition(selections=keys), *(a_quote(key, 3.0) for key in keys)))
    assert ["home", "draw", "away"] == list(explained(pipeline)["selections"])


PROFILES = st.builds(
    Profile,
    book_sum=st.floats(1.0, 1.2),
    method=st.sampled_from(["multiplicative", "odds_ratio"]),
    skew=st.sampled_from([1.0, 1.1]),
    min_move=st.sampled_from([0.0, 0.05]),
    max_move=st.sampled_from([0.0, 0.02]),
)


@given(profiles=st.lists(PROFILES, min_size=1, max_size=3), moves=st.lists(st.floats(1.3, 3.0), max_size=5))
def test_the_last_step_is_the_published_price(profiles: list[Profile], moves: list[float]) -> None:
    """Law: for every profile and selection, however the price was damped."""
    pipeline = a_pipeline(**{f"p{number}": profile for number, profile in enumerate(profiles)})
    for odds in moves:
        update(pipeline, MarketUpdate("1.1", books=[a_quote("home", odds), a_quote("away", odds / (odds - 1))]))
    selections = pipeline.offers[0].markets[MARKET].selections
    for key, shown in explained(pipeline)["selections"].items():
        for published, profile in zip(selections[key].prices, shown["profiles"].values(), strict=True):
            if published is None:
                assert profile["price"] is None
            else:
                assert published / 1000 == profile["price"] == profile["steps"][-1]["odds"]


def test_the_steps_and_guards_by_their_published_names() -> None:
    pipeline = a_pipeline(default=Profile(skew=1.1, min_move=0.2))
    update(pipeline, MarketUpdate("1.1", books=[a_quote("home", 2.1), a_quote("away", 1.9)]))
    explanation = explained(pipeline)
    steps = explanation["selections"]["home"]["profiles"]["default"]["steps"]
    assert ["implied", "coherent", "tilt", "margin", "ladder", "held"] == [step["step"] for step in steps]
    guards = [guard["guard"] for guard in explanation["guards"]]
    assert ["source_old", "incoherent", "contradiction", "spike", "arbitrage"] == guards
    assert "book_sum" == explanation["profiles"]["default"]["guard"]


def test_an_explanation_shows_the_books_of_the_source() -> None:
    pipeline = a_pipeline()
    update(pipeline, MarketUpdate("1.1", books=[BookChange("s-home", last=2.02)]))
    explanation = explained(pipeline)
    assert (1, "open", None, "src") == tuple(explanation[key] for key in ("v", "status", "reason", "priced_by"))
    (shown,) = explanation["selections"]["home"]["said"]
    assert ("src", "s-home", (1.98, 100.0), (2.02, 100.0), 2.02, 1) == tuple(
        shown[key] for key in ("source", "selection", "back", "lay", "last", "updated_ms")
    )
    (source,) = explanation["sources"]
    assert ("src", "live", "open") == (source["source"], source["health"], source["status"])
    assert (None, None) == (source["limit"], source["bet_delay_s"])
    update(pipeline, MarketUpdate("1.1", definition=a_definition(limit=50.0, bet_delay_s=5.0)))
    (source,) = explained(pipeline)["sources"]
    assert (50.0, 5.0) == (source["limit"], source["bet_delay_s"])


def test_a_suspended_market_has_a_reason_and_no_steps() -> None:
    pipeline = a_pipeline()
    update(pipeline, SourceStatus("down", "cut"))
    explanation = explained(pipeline)
    assert ("suspended", "source_down", None) == tuple(explanation[key] for key in ("status", "reason", "priced_by"))
    assert [] == explanation["guards"] == explanation["selections"]["home"]["profiles"]["default"]["steps"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (BookChange("s-home", lay_levels=[(0, 0.0, 0.0)]), "one_sided"),
        (BookChange("s-home", back_levels=[(0, 0.0, 0.0)], lay_levels=[(0, 0.0, 0.0)]), "no_offers"),
        (BookChange("s-home", back_levels=[(0, 1.5, 50.0)]), "spread"),
        (BookChange("s-home", back_levels=[(0, 1.98, 1.0)]), "size"),
    ],
)
def test_a_selection_without_a_price_has_a_reason(change: BookChange, reason: str) -> None:
    pipeline = a_pipeline()
    update(pipeline, MarketUpdate("1.1", books=[change]))
    selections = explained(pipeline)["selections"]
    assert [{"step": "refused", "reason": reason}] == selections["home"]["profiles"]["default"]["steps"]
    assert "implied" == selections["away"]["profiles"]["default"]["steps"][0]["step"]


def test_a_market_that_is_not_on_offer_has_no_explanation() -> None:
    assert explain(a_pipeline(), MarketId("e9/none"), 0) is None
