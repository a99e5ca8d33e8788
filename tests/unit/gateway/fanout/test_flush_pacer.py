"""Pauses between flushes under load."""

from __future__ import annotations

import pytest

from oddsengine.gateway.fanout.scheduler import FlushPacer


@pytest.mark.parametrize("took_ms", [0, 1, 12, 15, 20, 30, 40, 100])
def test_no_change_is_late_for_the_sake_of_fewer_writes(took_ms: int) -> None:
    pacer = FlushPacer()
    pacer.begin(1.0)
    pacer.finish(1.0 + took_ms / 1000)
    left_ms = 1000 * pacer.pause_left_s(1.0 + took_ms / 1000)
    assert (12 < took_ms < 40) == (left_ms > 0.001)
    assert left_ms < 0.001 or left_ms + 2 * took_ms <= 80.001
    pacer.end_pause()
    assert 0.0 == pacer.pause_left_s(1.0)
