"""Laws of the goal model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.emulators.core.goals import Outlook, Score

RATES = st.floats(0.05, 3.0)
SCORES = st.builds(Score, st.integers(0, 4), st.integers(0, 4))
QUARTER_LINES = st.integers(-10, 10).map(lambda quarters: quarters / 4)
HALF_LINES = (0.5, 1.5, 2.5, 3.5, 4.5)


@given(SCORES, RATES, RATES)
def test_the_probabilities_of_all_outcomes_sum_to_one(score: Score, home: float, away: float) -> None:
    outlook = Outlook(score, home, away)
    assert 1.0 == pytest.approx(sum(outlook.result()), abs=1e-6)
    finals = sum(outlook.final_score(Score(h, a)) for h in range(20) for a in range(20))
    assert 1.0 == pytest.approx(finals, abs=1e-5)


@given(SCORES, RATES, RATES)
def test_every_probability_is_between_0_and_1(score: Score, home: float, away: float) -> None:
    outlook = Outlook(score, home, away)
    found = [*outlook.result(), outlook.both_score(), *map(outlook.over, HALF_LINES), *map(outlook.handicap, (-1.5, 0.0, 0.75))]
    assert all(0.0 <= probability <= 1.0 for probability in found)


@given(SCORES, RATES, RATES)
def test_a_higher_total_is_less_likely_and_a_larger_head_start_more(score: Score, home: float, away: float) -> None:
    outlook = Outlook(score, home, away)
    overs = [outlook.over(line) for line in HALF_LINES]
    assert overs == sorted(overs, reverse=True)
    handicaps = [outlook.handicap(line) for line in (-1.5, -0.75, -0.25, 0.0, 0.5, 1.25)]
    assert handicaps == sorted(handicaps)


@given(SCORES, RATES, RATES)
def test_swapping_the_sides_swaps_the_result(score: Score, home: float, away: float) -> None:
    first, draw, second = Outlook(score, home, away).result()
    assert (second, draw, first) == pytest.approx(Outlook(Score(score.away, score.home), away, home).result(), abs=1e-5)


@given(RATES, RATES, QUARTER_LINES)
def test_the_two_sides_of_a_handicap_sum_to_one(home: float, away: float, line: float) -> None:
    start = Score(0, 0)
    assert 1.0 == pytest.approx(Outlook(start, home, away).handicap(line) + Outlook(start, away, home).handicap(-line), abs=1e-9)


@given(SCORES, RATES, RATES)
def test_an_over_is_the_sum_of_its_final_scores(score: Score, home: float, away: float) -> None:
    outlook = Outlook(score, home, away)
    finals = [Score(h, a) for h in range(20) for a in range(20)]
    for line in HALF_LINES:
        expected = sum(outlook.final_score(final) for final in finals if final.home + final.away > line)
        assert expected == pytest.approx(outlook.over(line), abs=1e-5)


def test_a_head_start_of_half_a_goal_is_win_or_draw() -> None:
    outlook = Outlook(Score(0, 0), 1.2, 1.0)
    home, draw, _ = outlook.result()
    assert home + draw == pytest.approx(outlook.handicap(0.5), abs=1e-6)
    assert home == pytest.approx(outlook.handicap(-0.5), abs=1e-6)


def test_once_no_goal_is_expected_the_score_is_final() -> None:
    outlook = Outlook(Score(2, 1), 0.0, 0.0)
    assert (1.0, 0.0, 0.0) == outlook.result()
    assert 1.0 == outlook.final_score(Score(2, 1))
