"""Laws of the credit budget of The Odds API."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.adapters.theoddsapi import TheOddsApiConfig
from feeds.adapters.theoddsapi.budget import CreditBudget, Pressure

NOW = 1_795_532_400_000  # 2026-11-24T15:00:00Z
DAY_MS = 86_400_000
TIMES = st.integers(NOW - 400 * DAY_MS, NOW + 400 * DAY_MS)
CREDITS = st.integers(1, 100_000)


def a_budget(left: float, now_ms: int, **config: float) -> CreditBudget:
    budget = CreditBudget(TheOddsApiConfig(**config))  # type: ignore[arg-type]
    budget.update(left, 0.0, now_ms)
    return budget


@given(CREDITS, st.integers(0, 27 * 86_400), st.integers(1, 5))
def test_calls_at_the_even_rate_last_until_the_credits_are_renewed(left: int, second: int, sports: int) -> None:
    config = TheOddsApiConfig(
        sports=tuple(f"s{number}" for number in range(sports)),
        monthly_credits=100_000,
        reserve_credits=0,
        min_interval_s=0.001,
        max_interval_s=1e9,
    )
    budget = CreditBudget(config)
    now = 1_793_491_200_000 + second * 1000  # in November 2026
    budget.update(float(left), 0.0, now)
    left_s = (budget.resets_ms(now) - now) / 1000
    even_s = budget.interval_s("near", now) * 2.0
    spent = left_s / even_s * sports * config.call_credits
    assert spent <= left * 1.001
    assert budget.interval_s("in_play", now) < budget.interval_s("near", now) < budget.interval_s("idle", now)


@given(st.integers(0, 100_000), TIMES, st.sampled_from(["idle", "near", "in_play"]))
def test_an_interval_is_between_its_limits(left: int, now_ms: int, pressure: Pressure) -> None:
    budget = a_budget(left, now_ms, min_interval_s=20.0, max_interval_s=600.0)
    assert 20.0 <= budget.interval_s(pressure, now_ms) <= 600.0


@given(CREDITS, CREDITS, TIMES)
def test_fewer_credits_never_shorten_an_interval(one: int, other: int, now_ms: int) -> None:
    fewer, more = (a_budget(left, now_ms) for left in sorted((one, other)))
    assert fewer.interval_s("idle", now_ms) >= more.interval_s("idle", now_ms)


@given(TIMES, st.integers(1, 28))
def test_credits_are_renewed_at_midnight_of_the_next_reset_day(now_ms: int, day: int) -> None:
    resets_ms = a_budget(1, now_ms, resets_day=day).resets_ms(now_ms)
    reset = datetime.fromtimestamp(resets_ms / 1000, UTC)
    assert (day, 0, 0, 0) == (reset.day, reset.hour, reset.minute, reset.second)
    assert 0 < resets_ms - now_ms <= 31 * DAY_MS


def test_credits_are_renewed_monthly() -> None:
    budget = a_budget(0.0, NOW, monthly_credits=500)
    assert not budget.can_pay(NOW)
    assert budget.can_pay(budget.resets_ms(NOW))


@pytest.mark.parametrize(("left", "can_pay"), [(102, True), (101, False)])
def test_the_reserve_is_not_spent(left: int, can_pay: bool) -> None:
    """A call costs two credits."""
    assert can_pay == a_budget(left, NOW, reserve_credits=100).can_pay(NOW)


def test_without_credits_one_call_per_longest_interval_checks_for_new_ones() -> None:
    budget = a_budget(0.0, NOW, max_interval_s=600.0)
    assert not budget.can_pay(NOW + 599_999)
    assert budget.can_pay(NOW + 600_000)
