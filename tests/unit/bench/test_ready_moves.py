"""Changes that a benchmark encodes beforehand."""

from __future__ import annotations

import pytest

from bench.load.publisher import ReadyMoves, build_offer


@pytest.mark.parametrize("count", [4, 5, 10])
def test_as_many_markets_move_as_are_asked_for_wherever_a_round_ends(count: int) -> None:
    counts = [5, 5]
    moves = ReadyMoves(build_offer(counts), counts)
    assert [len(moves.publication(count, 0).changed) for _ in range(5)] == [count] * 5
