"""Laws of the market model behind every emulated provider."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.emulators.core.market_model import MARKETS, TICK_S, MarketModel
from tests.support.laws.examples import examples

START_MS = 1_795_532_400_000  # 2026-11-24T15:00:00Z
SEEDS = st.integers(0, 2**32)


@given(SEEDS, st.floats(-0.2, 0.2))
@examples(20)
def test_the_probabilities_of_every_market_sum_to_one_at_every_tick(seed: int, bias: float) -> None:
    model = MarketModel(seed, 3, START_MS, move_share=1.0, bias=bias)
    for _ in range(10):
        for market in model.markets:
            assert 1.0 == pytest.approx(sum(market.probabilities.values()), abs=1e-6)
            assert all(0.0 < probability < 1.0 for probability in market.probabilities.values())
        model.tick()


@given(SEEDS)
@examples(10)
def test_one_seed_gives_the_same_matches_and_moves(seed: int) -> None:
    one, other = (MarketModel(seed, 4, START_MS, suspend_share=0.05) for _ in range(2))
    assert [(event.home, event.away, event.start_ms) for event in one.events] == [
        (event.home, event.away, event.start_ms) for event in other.events
    ]
    for _ in range(20):
        one.tick(), other.tick()
    assert [market.moves for market in one.markets] == [market.moves for market in other.markets]


def test_no_two_teams_share_a_name() -> None:
    names = [name for event in MarketModel(1, 84, START_MS).events for name in (event.home, event.away)]
    assert len(names) == len(set(names))


def test_a_tick_returns_exactly_the_markets_that_changed() -> None:
    model = MarketModel(3, 10, START_MS, suspend_share=0.05)
    for _ in range(50):
        before = {market: (market.status, market.probabilities) for market in model.markets}
        changed = model.tick()
        assert len(changed) == len(set(changed))
        assert set(changed) == {market for market in model.markets if before[market] != (market.status, market.probabilities)}
        assert all(model.ticks == market.changed_tick for market in changed)


def test_a_suspended_market_reopens_after_half_a_second() -> None:
    model = MarketModel(3, 10, START_MS, move_share=0.0, suspend_share=0.02)
    suspended: dict[object, int] = {}
    durations = set()
    for _ in range(200):
        for market in model.tick():
            if market.status == "suspended":
                suspended[market] = model.ticks
            else:
                durations.add(model.ticks - suspended.pop(market))
    assert {round(0.5 / TICK_S)} == durations


def test_the_moves_of_a_market_end_with_its_current_state_and_are_bounded() -> None:
    model = MarketModel(3, 2, START_MS, move_share=1.0, suspend_share=0.05)
    for _ in range(200):
        model.tick()
    for market in model.markets:
        assert (market.probabilities if market.status == "open" else None) == market.moves[-1].probabilities
        assert len(market.moves) <= 60
        assert [move.tick for move in market.moves] == sorted(move.tick for move in market.moves)


def test_a_bookmakers_odds_have_a_margin() -> None:
    for market in MarketModel(3, 10, START_MS).markets:
        assert sum(1 / odds for odds in market.odds().values()) > 1.0


def test_a_bias_overrates_the_home_side() -> None:
    fair, biased = MarketModel(3, 5, START_MS), MarketModel(3, 5, START_MS, bias=0.1)
    for one, other in zip(fair.markets, biased.markets, strict=True):
        if one.kind == "result":
            assert one.probabilities["home"] < other.probabilities["home"]


def test_every_match_has_every_market_and_the_share_in_play_has_started() -> None:
    model = MarketModel(3, 10, START_MS, in_play_share=0.3)
    assert all(list(MARKETS) == [(market.kind, market.line) for market in event.markets] for event in model.events)
    assert [True] * 3 + [False] * 7 == [event.in_play for event in model.events]
    assert all(event.in_play == (event.start_ms <= START_MS) for event in model.events)
