"""How much time there is for what."""

from __future__ import annotations

import asyncio

import pytest

from oddsengine.gateway.fanout.scheduler import Pace


@pytest.mark.parametrize(("turn_s", "there_are_s"), [(0.0, 0.001), (0.001, 0.001), (0.016, 0.008), (5.0, 0.010)])
async def test_what_can_wait_has_its_share_however_long_the_turns_are(turn_s: float, there_are_s: float) -> None:
    now_s = 0.0
    pace = Pace(lambda: now_s, lambda: None)
    assert pace.has_time()
    await asyncio.sleep(0)
    now_s += turn_s
    begun_s = now_s
    assert pace.has_time(), "the first may always"
    now_s = begun_s + 0.99 * there_are_s
    assert pace.has_time()
    now_s = begun_s + 1.01 * there_are_s
    assert not pace.has_time()
    await asyncio.sleep(0)
    assert pace.has_time(), "in the next turn"
