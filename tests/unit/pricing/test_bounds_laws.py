"""Laws of the bounds: no open price is one that the sources' offers do not allow."""

from __future__ import annotations

from math import fsum
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.feed_updates import BookChange
from oddsengine.pricing.methods.bounds import fit
from oddsengine.pricing.methods.fair import ExchangeLimits
from tests.support.builders import a_definition
from tests.support.pricing.priced_source import Source, offers

SIDES = st.tuples(st.floats(1.02, 20.0), st.floats(0.0, 0.3), st.booleans(), st.booleans())


@given(
    sides=st.lists(SIDES, min_size=2, max_size=5),
    winners=st.integers(1, 2),
    method=st.sampled_from(["multiplicative", "power", "odds_ratio"]),
    book_sum=st.floats(1.0, 1.2),
    skew=st.sampled_from([1.0, 0.8, 1.2]),
    normalise=st.sampled_from(["multiplicative", "power"]),
)
def test_no_open_price_is_over_its_own_best_lay(
    sides: list[Any], winners: int, method: Any, book_sum: float, skew: float, normalise: Any
) -> None:
    """Law: and no fair probability is outside what its own offers allow."""
    keys = tuple(f"k{number}" for number in range(len(sides)))
    definition = a_definition(selections=keys, type="place", winners=winners)
    books = [
        offers(key, odds if has_back else None, odds * (1 + spread) if has_lay else None)
        for key, (odds, spread, has_back, has_lay) in zip(keys, sides, strict=True)
    ]
    profile = {"method": method, "book_sum": book_sum, "skew": skew, "ladder": "decimal_3"}
    source = Source(definition, **profile, exchange=ExchangeLimits(normalise=normalise))
    source.update(*books)
    if source.reason is not None:
        return
    (_, explained), *_ = source.pricer.explain(source.book.markets["1.1"], definition).values()
    for key, (odds, spread, has_back, has_lay) in zip(keys, sides, strict=True):
        price, fair = source.prices[key], explained.selections[key].fair
        if has_lay and price is not None:
            assert price / 1000 <= odds * (1 + spread) * (1 + 1e-9)
        if fair is not None:
            assert not has_lay or fair >= 1 / (odds * (1 + spread)) - 1e-9
            assert not has_back or fair <= 1 / odds + 1e-9


@given(st.lists(st.tuples(st.floats(0.01, 0.9), st.floats(0.0, 0.2), st.floats(0.0, 0.2), st.booleans()), min_size=2, max_size=8))
def test_fitted_probabilities_are_within_their_bounds(rows: list[tuple[float, float, float, bool]]) -> None:
    """Law: and a complete set sums to the winners, or as little over as its lay offers do."""
    lows = [max(each - below, 0.0) for each, below, _, _ in rows]
    highs = [min(each + above, 1.0) for each, _, above, _ in rows]
    probabilities = [each if known else None for each, _, _, known in rows]
    found = fit(probabilities, lows, highs, 1)
    if found is None:
        return
    scaled = found.scaled(probabilities)
    for each, low, high in zip(scaled, lows, highs, strict=True):
        assert each is None or low - 1e-9 <= each <= high + 1e-9
    if None not in scaled:
        assert 1.0 - 1e-9 <= fsum(each for each in scaled if each is not None) <= 1.01 + 1e-9


NEAR = st.tuples(
    st.sampled_from("abcd"),
    st.floats(3.0, 5.5),
    st.floats(0.001, 0.3),
    st.tuples(st.booleans(), st.booleans()),
    st.one_of(st.none(), st.floats(3.0, 5.5)),
    st.sampled_from([1, 1000, 40_000]),
)


@given(
    updates=st.lists(NEAR, min_size=4, max_size=30),
    last_traded=st.booleans(),
    normalise=st.sampled_from(["multiplicative", "power"]),
    skew=st.sampled_from([1.0, 1.2]),
)
def test_prices_kept_up_to_date_are_those_from_scratch(
    updates: list[Any], last_traded: bool, normalise: Any, skew: float
) -> None:
    """Law: whatever bounds a selection on the way, and however old its last trade."""
    definition = a_definition(selections=tuple("abcd"), type="winner")
    limits = ExchangeLimits(last_traded=last_traded, normalise=normalise)
    source = Source(definition, exchange=limits, skew=skew)
    source.update(*(offers(key, 3.9, 4.1) for key in "abcd"))
    levels: dict[str, tuple[float, float]] = dict.fromkeys("abcd", (3.9, 4.1))
    for key, odds, spread, (has_back, has_lay), last, after_ms in updates:
        back, lay = levels[key]
        levels[key] = (odds, odds * (1 + spread))
        change = BookChange(
            f"s-{key}",
            back=[(back, 0.0), *([(odds, 9.0)] if has_back else [])],
            lay=[(lay, 0.0), *([(odds * (1 + spread), 5.0)] if has_lay else [])],
            last=last,
        )
        source.update(change, after_ms=after_ms)
        market = source.book.markets["1.1"]
        ((_, reference),) = source.pricer.explain(market, definition, None, source.now_ms).values()
        assert reference.refusal == source.reason
        if reference.refusal is None:
            assert {name: each.price for name, each in reference.selections.items()} == source.prices
