"""Margin removal and application: the laws, and the published vectors."""

from __future__ import annotations

import itertools
import lzma
from math import fsum
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from oddsengine.pricing import METHODS, MarginError, fair_probabilities, quote_odds
from oddsengine.pricing.methods.margin import SEVERAL_WINNERS

if TYPE_CHECKING:
    from pathlib import Path

EXACT = 1e-10


@st.composite
def probability_lists(draw: st.DrawFn, min_weight: float = 0.002) -> list[float]:
    weights = draw(st.lists(st.floats(min_weight, 1.0), min_size=2, max_size=40))
    total = fsum(weights)
    fair = [weight / total for weight in weights]
    assume(max(fair) < 0.98)
    return fair


@pytest.mark.recorded
def test_both_directions_agree_with_the_vectors(data: Path) -> None:
    """Three vectors have a book sum that Shin's method can't reach; it raises for them."""
    unreachable = 0
    lines = lzma.decompress((data / "margin" / "vectors.jsonl.xz").read_bytes()).splitlines()
    assert 360 == len(lines)
    for line in lines:
        vector: dict[str, Any] = msgspec.json.decode(line)
        for method, expected in vector["fair"].items():
            if min(expected) <= 0:
                with pytest.raises(MarginError, match="between 0 and 1"):
                    fair_probabilities(vector["odds"], method)
                continue
            assert fair_probabilities(vector["odds"], method) == pytest.approx(expected, abs=EXACT)
        for method, expected in vector["quoted"].items():
            if abs(fsum(1 / odds for odds in expected) - vector["target"]) > 1e-6:
                unreachable += 1
                with pytest.raises(MarginError, match="no share of insiders"):
                    quote_odds(vector["fair_in"], vector["target"], method)
                continue
            quoted = quote_odds(vector["fair_in"], vector["target"], method)
            assert [1 / odds for odds in quoted] == pytest.approx([1 / odds for odds in expected], abs=EXACT)
        for method, expected in vector.get("place_fair", {}).items():
            fair = fair_probabilities(vector["place_odds"], method, vector["winners"])
            assert fair == pytest.approx(expected, abs=EXACT)
    assert 3 == unreachable


@pytest.mark.parametrize("method", METHODS)
@given(fair=probability_lists(), book_sum=st.floats(1.0, 1.25))
def test_quotes_sum_to_the_book_sum_and_return_to_the_fair_probabilities(method: str, fair: list[float], book_sum: float) -> None:
    try:
        odds = quote_odds(fair, book_sum, method)
    except MarginError:
        assume(False)
    assert fsum(1 / price for price in odds) == pytest.approx(book_sum, abs=1e-9)
    assume(min(odds) > 1.0)
    back = fair_probabilities(odds, method)
    assert fsum(back) == pytest.approx(1.0, abs=1e-9)
    assert back == pytest.approx(fair, abs=1e-8)


@pytest.mark.parametrize("method", sorted(SEVERAL_WINNERS))
@given(fair=probability_lists(), book_sum=st.floats(1.0, 1.2), winners=st.integers(2, 4))
def test_several_winners(method: str, fair: list[float], book_sum: float, winners: int) -> None:
    assume(winners < len(fair) and max(fair) * winners < 0.9)
    several = [probability * winners for probability in fair]
    odds = quote_odds(several, book_sum * winners, method, winners)
    assert fsum(1 / price for price in odds) == pytest.approx(book_sum * winners, abs=1e-9)
    assume(min(odds) > 1.0)
    assert fair_probabilities(odds, method, winners) == pytest.approx(several, abs=1e-8)


@pytest.mark.parametrize("method", METHODS)
@given(fair=probability_lists(), book_sum=st.floats(1.0, 1.15), data=st.data())
def test_the_order_of_outcomes_does_not_matter(method: str, fair: list[float], book_sum: float, data: st.DataObject) -> None:
    try:
        odds = quote_odds(fair, book_sum, method)
    except MarginError:
        assume(False)
    order = data.draw(st.permutations(range(len(fair))))
    assert [odds[index] for index in order] == quote_odds([fair[index] for index in order], book_sum, method)
    ranked = sorted(zip(fair, odds, strict=True))
    assert all(low[1] >= high[1] - 1e-9 for low, high in itertools.pairwise(ranked))


@pytest.mark.parametrize("method", METHODS)
def test_a_book_without_margin_is_already_fair(method: str) -> None:
    assert fair_probabilities([2.0, 4.0, 4.0], method) == pytest.approx([0.5, 0.25, 0.25], abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("odds", [[1.001, 1000.0], [1.001, 1000.0, 1000.0], [41.0] * 40, [1.5, 2.9, 2.9], [3.1] * 3])
def test_extreme_odds_converge_or_raise_with_the_numbers(method: str, odds: list[float]) -> None:
    try:
        fair = fair_probabilities(odds, method)
    except MarginError as error:
        assert all(f"{price:g}" in str(error) for price in odds)
        assert (method, tuple(odds)) == (error.method, error.numbers)
    else:
        assert fsum(fair) == pytest.approx(1.0, abs=1e-9)
        assert all(0 < probability < 1 for probability in fair)


@given(first=st.floats(0.15, 0.85), book_sum=st.floats(1.0, 1.15))
def test_for_two_outcomes_shin_is_additive(first: float, book_sum: float) -> None:
    odds = [1 / first, 1 / (book_sum - first)]
    additive = fair_probabilities(odds, "additive")
    assert fair_probabilities(odds, "shin") == pytest.approx(additive, abs=1e-12)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: fair_probabilities([2.0, 2.0], "shinn"), "not a method"),
        (lambda: fair_probabilities([2.0], "power"), "at least two outcomes"),
        (lambda: fair_probabilities([2.0, 1.0], "power"), "over 1, not 1.0"),
        (lambda: fair_probabilities([2.0, float("nan")], "power"), "not nan"),
        (lambda: fair_probabilities([2.0, 2.0, 3.0], "shin", 2), "one winner only"),
        (lambda: fair_probabilities([2.0, 2.0], "power", 2), "2 winners of 2 outcomes"),
        (lambda: quote_odds([0.5, 0.6], 1.05), "sum to 1.1"),
        (lambda: quote_odds([0.5, 0.5], 0.0), "over 0"),
        (lambda: quote_odds([1.0, 0.0], 1.05), "between 0 and 1"),
        (lambda: fair_probabilities([1.02, 10.0, 60.0], "additive"), "between 0 and 1"),
    ],
)
def test_invalid_numbers_raise_with_the_reason(call: Any, reason: str) -> None:
    with pytest.raises(MarginError, match=reason):
        call()
