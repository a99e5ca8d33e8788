"""Frames per second in turns: a turn without a frame on a busy machine is left out."""

from __future__ import annotations

import pytest

from bench.scenarios.fanout import turn_ratio


def test_the_median_ratio_of_the_turns_counts() -> None:
    assert 0.5 == turn_ratio([10.0, 50.0, 90.0], [20.0, 100.0, 90.0], "floor")


def test_a_turn_without_a_frame_is_left_out_and_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0.5 == turn_ratio([10.0, 50.0, 0.0], [20.0, 0.0, 100.0], "floor")
    assert "floor: left out 2 of 3 turns without a frame" in capsys.readouterr().err


def test_without_any_turn_left_there_is_no_ratio() -> None:
    with pytest.raises(RuntimeError, match="floor can't be compared"):
        turn_ratio([0.0], [1.0], "floor")
