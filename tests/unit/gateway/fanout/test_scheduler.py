"""How much time there is for what."""

from __future__ import annotations

import asyncio

import pytest

from oddsengine.gateway.fanout.scheduler import Scheduler


@pytest.mark.parametrize(("turn_s", "there_are_s"), [(0.0, 0.001), (0.001, 0.001), (0.016, 0.008), (5.0, 0.010)])
async def test_what_can_wait_has_its_share_however_long_the_turns_are(turn_s: float, there_are_s: float) -> None:
    now_s = 0.0
    pace = Scheduler(lambda: now_s, lambda: None)
    assert pace.has_budget()
    await asyncio.sleep(0)
    now_s += turn_s
    begun_s = now_s
    assert pace.has_budget(), "the first may always"
    now_s = begun_s + 0.99 * there_are_s
    assert pace.has_budget()
    now_s = begun_s + 1.01 * there_are_s
    assert not pace.has_budget()
    await asyncio.sleep(0)
    assert pace.has_budget(), "in the next turn"
