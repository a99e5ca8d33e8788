"""From quotes to prices on the ladder: book sums, and limits on moves."""

from __future__ import annotations

from math import fsum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.ladders import LADDERS
from oddsengine.pricing import METHODS
from oddsengine.pricing.market.quoting import quote_book
from oddsengine.pricing.market.rounding import book_sum, round_book
from oddsengine.pricing.profiles.profile import Profile

FAIR = st.lists(st.floats(0.01, 1.0), min_size=2, max_size=8).map(lambda weights: [each / fsum(weights) for each in weights])


def quoted(fair: list[float], profile: Profile) -> list[float | None]:
    return quote_book([f"k{number}" for number in range(len(fair))], [1 / each for each in fair], 1.0, 1, profile)


def rounded(fair: list[float], before: list[int | None] | None = None, **settings: Any) -> list[int | None]:
    profile = Profile(**settings)
    return round_book(quoted(fair, profile), list(fair), 1, profile, before).prices


PROFILES = st.fixed_dictionaries(
    {
        "ladder": st.sampled_from(sorted(LADDERS)),
        "method": st.sampled_from(METHODS),
        "book_sum": st.floats(1.05, 1.3),
        "min_margin": st.floats(0.0, 0.05),
        "rounding": st.sampled_from(["down", "balanced"]),
        "tolerance": st.sampled_from([0.0, 0.005, 0.02, 0.1]),
        "min_move": st.sampled_from([0.0, 0.01, 0.1, 0.5]),
        "max_move": st.sampled_from([0.0, 0.02, 0.2]),
    }
)


@given(fair=FAIR, before=st.lists(st.floats(1.01, 500.0), min_size=8, max_size=8), settings=PROFILES)
def test_no_book_sum_is_under_the_floor_or_outside_the_tolerance(
    fair: list[float], before: list[float], settings: dict[str, Any]
) -> None:
    """Law: over all ladders, methods and roundings, whatever was on offer before."""
    profile = Profile(**settings)
    ladder = profile.ladder_ticks
    last = [ladder.at_or_below(each * 1000) for each in before[: len(fair)]]
    quotes = quoted(fair, profile)
    answer = round_book(quotes, list(fair), 1, profile, last)
    total = book_sum(answer.prices)
    assert all(price is None or price in ladder for price in answer.prices)
    if total is None or answer.refusal is not None:
        return
    assert total >= 1 + profile.min_margin - 1e-9
    target = fsum(1 / min(each, profile.max_odds) for each in quotes if each is not None)
    if profile.tolerance:
        assert abs(total - target) <= profile.tolerance + 1e-9


@given(fair=FAIR, ladder=st.sampled_from(sorted(LADDERS)), target=st.floats(1.0, 1.3))
def test_balanced_rounding_is_at_least_as_close_to_the_target_as_rounding_down(
    fair: list[float], ladder: str, target: float
) -> None:
    sums = [book_sum(rounded(fair, ladder=ladder, book_sum=target, rounding=rounding)) for rounding in ("down", "balanced")]
    down, balanced = sums
    if down is not None and balanced is not None:
        assert abs(balanced - target) <= abs(down - target) + 1e-9


def test_balanced_rounding_raises_the_price_that_was_cut_most() -> None:
    """Target 1.05, quotes 1.198 and 4.646: rounded down they sum to 1.058, with the second one tick longer to 1.053."""
    fair = [0.795, 0.205]
    down = rounded(fair, ladder="betfair", book_sum=1.05)
    balanced = rounded(fair, ladder="betfair", book_sum=1.05, rounding="balanced")
    assert [1190, 4600] == down
    assert [1190, 4700] == balanced


def test_a_tolerance_that_the_ladder_can_not_meet_is_a_refusal() -> None:
    fair = [0.5, 0.5]
    profile = Profile(ladder="traditional", book_sum=1.03, tolerance=0.001)
    assert "book_sum" == round_book(quoted(fair, profile), list(fair), 1, profile).refusal


def test_a_price_that_hardly_moved_stays() -> None:
    assert [1900, 1900] == rounded([0.5, 0.5])
    assert [1880, 1920] == [price and round(price, -1) for price in rounded([0.505, 0.495], [1900, 1900])]
    assert [1900, 1900] == rounded([0.505, 0.495], [1900, 1900], min_move=0.02)


def test_a_price_with_an_edge_for_the_bettor_does_not_stay() -> None:
    """1.9 is fair at 0.526: beyond that `min_move` is ignored."""
    assert 1900 == rounded([0.52, 0.48], [1900, 1900], min_move=0.2)[0]
    assert rounded([0.53, 0.47], [1900, 1900], min_move=0.2)[0] == rounded([0.53, 0.47])[0]


def test_a_price_lengthens_in_steps_and_shortens_at_once_to_the_fair_odds() -> None:
    profile = Profile(max_move=0.1)
    fair = [0.25, 0.75]
    answer = round_book(quoted(fair, profile), list(fair), 1, profile, [1900, 1900])
    assert not answer.settled
    assert [2080, 1330] == answer.prices, "0.1 longer, and at most the fair odds"
    prices: list[int | None] = [1900, 1900]
    for _ in range(12):
        answer = round_book(quoted(fair, profile), list(fair), 1, profile, prices)
        prices = answer.prices
    assert answer.settled
    assert rounded(fair) == prices


@pytest.mark.parametrize("step", [0.0001, 0.001])
def test_a_step_is_at_least_a_tick(step: float) -> None:
    assert 2020 == rounded([0.4, 0.6], [2000, 1500], max_move=step)[0]
