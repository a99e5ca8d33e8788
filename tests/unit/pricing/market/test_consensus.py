"""The consensus of several sources on fair probabilities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.feed_updates import BookChange
from oddsengine.pricing.market.consensus import Opinion, agree, opinion, weighted_median
from oddsengine.pricing.market.outcomes import outcome_groups
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.selection_book import SelectionBook
from oddsengine.sourcing.source_book import SourceMarket
from tests.support.builders import a_definition, a_quote

VALUES = st.lists(st.tuples(st.floats(0.01, 0.99), st.floats(0.1, 10)), min_size=1, max_size=9)


@given(VALUES)
def test_half_of_the_weight_lies_on_each_side_of_the_median(values: list[tuple[float, float]]) -> None:
    median = weighted_median(values)
    total = sum(weight for _, weight in values)
    assert sum(weight for value, weight in values if value < median) <= total / 2 * (1 + 1e-9)
    assert sum(weight for value, weight in values if value > median) <= total / 2 * (1 + 1e-9)


def two_way(source: str, home: float, weight: float = 1.0) -> Opinion:
    return Opinion(source, {"home": home, "away": 1 - home}, weight)


def test_an_outlier_is_left_out() -> None:
    consensus = agree([two_way("a", 0.50), two_way("b", 0.52), two_way("c", 0.80)], 1, outlier=0.05, min_sources=2)
    assert consensus is not None
    assert (("a", "b"), ("c",)) == (consensus.used, consensus.outliers)
    assert 0.51 == pytest.approx(consensus.fair["home"])


@given(st.floats(0.02, 0.98), st.floats(0.02, 0.98))
def test_a_single_wrong_source_does_not_move_the_consensus(wrong: float, right: float) -> None:
    opinions = [two_way("a", right), two_way("b", right), two_way("c", wrong)]
    consensus = agree(opinions, 1, outlier=1.0, min_sources=2)
    assert consensus is not None
    assert right == pytest.approx(consensus.fair["home"])


@given(st.lists(st.floats(0.05, 0.9), min_size=2, max_size=6))
def test_a_consensus_sums_to_the_winners(homes: list[float]) -> None:
    opinions = [
        Opinion(str(number), {"h": home, "d": (1 - home) / 3, "a": (1 - home) * 2 / 3}, 1.0) for number, home in enumerate(homes)
    ]
    consensus = agree(opinions, 1, outlier=1.0, min_sources=1)
    assert consensus is not None
    assert 1.0 == pytest.approx(sum(consensus.fair.values()))


def test_too_few_sources_are_no_consensus() -> None:
    assert agree([two_way("a", 0.5)], 1, outlier=0.1, min_sources=2) is None
    assert agree([two_way("a", 0.2), two_way("b", 0.8)], 1, outlier=0.05, min_sources=2) is None
    other = Opinion("b", {"home": 0.5, "draw": 0.5}, 1.0)
    assert agree([two_way("a", 0.5), other], 1, outlier=0.5, min_sources=2) is None, "with other selections it is another market"
    assert agree([], 1, outlier=0.1, min_sources=1) is None


def test_an_opinion_is_free_of_margin_and_complete_or_none() -> None:
    (group,) = outcome_groups(a_definition())
    market = SourceMarket("src", "1.1")
    for key in ("s-home", "s-away"):
        market.books[key] = SelectionBook()
        market.books[key].apply(BookChange(key, quote=1.9))
    found = opinion(market, group, 1, Profile(), 2.0)
    assert found is not None
    assert ("src", 2.0) == (found.source, found.weight)
    assert {"home": pytest.approx(0.5), "away": pytest.approx(0.5)} == found.fair
    market.books["s-away"].apply(BookChange("s-away", quote=0.0))
    silent = opinion(market, group, 1, Profile(), 1.0)
    assert silent is not None
    assert {} == silent.fair
    exchange = SourceMarket("ex", "1.2")
    for quote in (a_quote("home", 2.0), a_quote("away", 2.0)):
        exchange.books[quote.selection] = SelectionBook()
        exchange.books[quote.selection].apply(quote)
    assert opinion(exchange, group, 1, Profile(), 1.0) is not None
