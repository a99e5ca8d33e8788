"""Time slices and turns of the event loop."""

from __future__ import annotations

import asyncio

import pytest

from oddsengine.gateway.fanout.scheduler import NextTurn, Scheduler


@pytest.mark.parametrize(("turn_s", "budget_s"), [(0.0, 0.001), (0.001, 0.001), (0.016, 0.008), (5.0, 0.010)])
async def test_deferrable_work_keeps_its_share_however_long_the_turns_are(turn_s: float, budget_s: float) -> None:
    now_s = 0.0
    scheduler = Scheduler(lambda: now_s, lambda: None)
    assert scheduler.has_budget()
    await asyncio.sleep(0)
    now_s += turn_s
    begun_s = now_s
    assert scheduler.has_budget(), "the first call of a turn always has"
    now_s = begun_s + 0.99 * budget_s
    assert scheduler.has_budget()
    now_s = begun_s + 1.01 * budget_s
    assert not scheduler.has_budget()
    await asyncio.sleep(0)
    assert scheduler.has_budget(), "the next turn has a budget of its own"


@pytest.mark.parametrize(("since_request_s", "turns", "slice_s"), [(0.5, 4, 0.00025), (1.5, 1, 0.001)])
async def test_a_flush_yields_for_longer_while_http_requests_come(since_request_s: float, turns: int, slice_s: float) -> None:
    now_s, resumed = 0.0, 0

    def resume() -> None:
        nonlocal resumed
        resumed += 1

    scheduler = Scheduler(lambda: now_s, resume)
    scheduler.note_http_request()
    now_s += since_request_s
    assert slice_s == scheduler.time_slice_s
    scheduler.yield_to_loop()
    scheduler.yield_to_loop()
    for _ in range(turns):
        assert 0 == resumed
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 1 == resumed, "however often it yielded"


async def test_a_callback_runs_once_a_turn_and_may_request_the_next_one() -> None:
    runs = 0

    def run() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            next_turn.request()

    next_turn = NextTurn(run)
    for _ in range(3):
        next_turn.request()
    assert next_turn.is_requested
    await asyncio.sleep(0)
    assert (1, True) == (runs, next_turn.is_requested)
    await asyncio.sleep(0)
    assert (2, False) == (runs, next_turn.is_requested)
