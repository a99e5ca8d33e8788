"""An outage is one line when it begins, one when it ends, and seldom between."""

from __future__ import annotations

from structlog.testing import capture_logs

from oddsengine.common.reporting.outages import REPEAT_S, Outage


def test_an_outage_of_many_users_is_one_line_at_each_end() -> None:
    now_s = 0.0
    outage = Outage("gone", "back", lambda: now_s)
    with capture_logs() as lines:
        for _ in range(300):
            for user in ("one", "other"):
                outage.failed(user, "OOM")
            now_s += 0.1
        outage.worked("one")
        outage.worked("one")
        outage.worked("nobody")
        assert ["gone"] == [line["event"] for line in lines]
        outage.worked("other")
    assert ["gone", "back"] == [line["event"] for line in lines]
    assert {"after_s": 30.0, "failures": 600} == {key: lines[1][key] for key in ("after_s", "failures")}


def test_another_cause_and_a_long_outage_are_said() -> None:
    now_s = 0.0
    outage = Outage("gone", "back", lambda: now_s)
    with capture_logs() as lines:
        outage.failed("one", "UNREACHABLE")
        outage.failed("one", "LOADING")
        now_s = REPEAT_S - 1
        outage.failed("one", "LOADING")
        now_s = REPEAT_S
        outage.failed("one", "LOADING")
    assert ["UNREACHABLE", "LOADING", "LOADING"] == [line["cause"] for line in lines]
    assert [None, 0.0, REPEAT_S] == [line.get("for_s") for line in lines]
