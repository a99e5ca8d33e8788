"""Prices at the cost of what moved are those computed from scratch."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from oddsengine.commands.ruling import Adjustment
from oddsengine.domain.ladders import LADDERS
from oddsengine.pricing.market.incremental_book import IncrementalBook
from oddsengine.pricing.market.reference import price_book
from oddsengine.pricing.methods.bounds import fit
from oddsengine.pricing.methods.fair import Fair
from oddsengine.pricing.profiles.profile import Profile

KEYS = ("a", "b", "c")
PROFILES = st.lists(
    st.builds(
        Profile,
        ladder=st.sampled_from(sorted(LADDERS)),
        book_sum=st.floats(1.0, 1.3),
        method=st.sampled_from(["multiplicative", "multiplicative", "odds_ratio"]),
        rounding=st.sampled_from(["down", "down", "balanced"]),
        skew=st.sampled_from([1.0, 1.0, 1.1]),
        max_odds=st.sampled_from([1000.0, 20.0]),
        min_odds=st.sampled_from([1.01, 1.5]),
        _commanded=st.builds(Adjustment, prices=st.just({}) | st.dictionaries(st.sampled_from(KEYS), st.integers(1005, 9000))),
    ),
    min_size=1,
    max_size=4,
)
#: a selection, and its new probability, None to take it away
MOVES = st.lists(st.tuples(st.integers(0, 2), st.one_of(st.none(), st.floats(0.02, 0.6), st.floats(0.33, 0.3301))), max_size=20)


@given(profiles=PROFILES, moves=MOVES)
@example(
    profiles=[Profile(ladder=ladder, book_sum=1.1375, rounding="balanced") for ladder in ("american", "decimal_2")],
    moves=[(0, 0.375), (2, 0.5)],
)
def test_an_incremental_book_has_the_reference_prices(profiles: list[Profile], moves: Any) -> None:
    """Law: for every profile after every move, and `changed` names exactly the selections whose prices changed."""
    book = IncrementalBook(KEYS, 1, profiles)
    probabilities: list[float | None] = [1 / 3] * 3
    unseen = {0, 1, 2}
    was_fitted = False
    for index, probability in [(0, 1 / 3), *moves]:
        probabilities[index] = probability
        unseen.add(index)
        found = fit(probabilities, [0.0] * 3, [1.0] * 3, 1)
        if found is None:
            continue
        if found.fitted is not None or was_fitted:
            unseen = {0, 1, 2}
        was_fitted = found.fitted is not None
        priced, factor = (probabilities, found.factor) if found.fitted is None else (found.fitted, 1.0)
        before = [list(prices) for prices in book.prices]
        changed = book.update([None if each is None else 1 / each for each in priced], factor, sorted(unseen))
        unseen.clear()
        for profile, prices in zip(profiles, book.prices, strict=True):
            reference = price_book(KEYS, [None if each is None else Fair(each, "book") for each in probabilities], 1, profile)
            assert reference is not None
            assert [selection.price for selection in reference.selections] == prices
            if profile.fixed_prices and None not in prices and reference.refusal is None:
                # Not even a price that a person has set brings the book under its floor.
                assert sum(1000 / (price or 1) for price in prices) >= 1.0 - 1e-9
        assert {at for old, new in zip(before, book.prices, strict=True) for at in range(3) if old[at] != new[at]} == changed
