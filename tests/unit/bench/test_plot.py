"""How far a goal was met, whichever way it goes."""

from __future__ import annotations

import msgspec
import pytest

from bench.reporting.plot import goal_attainment
from bench.reporting.row import Row, compared


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (compared(Row(scenario="s", metric="m", value=200.0, unit="frames/s", goal=0.5), 200.0), 2.0),
        (compared(Row(scenario="s", metric="m", value=50.0, unit="frames/s", goal=0.5), 200.0), 0.5),
        (Row(scenario="s", metric="p99", value=10.0, unit="ms", goal=25.0, met=True), 2.5),
        (Row(scenario="s", metric="p99", value=50.0, unit="ms", goal=25.0, met=False), 0.5),
        (Row(scenario="s", metric="p99", value=10.0, unit="ms"), None),
        (Row(scenario="s", metric="wrong", value=0.0, unit="clients", goal=0, met=True), None),
    ],
)
def test_twice_as_good_as_wanted_is_two_for_more_as_for_less(row: Row, wanted: float | None) -> None:
    assert wanted == goal_attainment(row)


def test_what_is_true_is_written_as_the_number_that_is_read() -> None:
    row = Row(scenario="s", metric="it has priority", value=True, unit="(1: yes)")
    assert [row] == msgspec.json.decode(msgspec.json.encode([row]), type=list[Row])
