"""What happens for each message is logged a few times a minute, and the rest is counted."""

from __future__ import annotations

from oddsengine.common.reporting.line_limit import LINES, PERIOD_S, LineLimit


def test_the_first_lines_of_a_period_are_logged_and_the_others_counted() -> None:
    now_s = 100.0
    limit = LineLimit(lambda: now_s)
    assert [0] * LINES + [None] * 7 == [limit.take() for _ in range(LINES + 7)]
    now_s += PERIOD_S
    assert [7, 0] == [limit.take() for _ in range(2)]
