"""Comparison of two checkouts: medians of the runs, matched row by row."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.paired import Checkout, RunFailed, compare_runs
from bench.reporting.row import Row


def row(metric: str, value: float, unit: str = "deltas/s", reference: str | None = None) -> Row:
    return Row(scenario="fanout", metric=metric, value=value, unit=unit, reference=reference)


def test_the_ratio_is_that_of_the_medians() -> None:
    base = [[row("frames", value)] for value in (100.0, 90.0, 500.0)]
    ours = [[row("frames", value)] for value in (110.0, 105.0, 1.0)]
    (found,) = compare_runs(base, ours)
    assert (105.0, 1.05, "base: 100") == (found.value, found.ratio, found.reference)


def test_reworded_rows_are_matched_by_position() -> None:
    base = [[row("one delta a frame", 100.0), row("p99 there", 5.0, "ms")]]
    ours = [[row("one delta per frame", 50.0), row("p99 at that rate", 10.0, "ms")]]
    assert [0.5, 2.0] == [found.ratio for found in compare_runs(base, ours)]


def test_rows_of_only_one_checkout_are_left_out() -> None:
    base = [[row("frames", 100.0)]]
    ours = [[row("new metric", 1.0, "ms"), row("frames", 100.0)]]
    assert ["frames"] == [found.metric for found in compare_runs(base, ours)]


def test_a_metric_with_several_references_is_compared_once() -> None:
    runs = [[row("frames", 100.0, reference="floor"), row("frames", 100.0, reference="nats")]]
    assert 1 == len(compare_runs(runs, runs))


def test_a_reference_of_zero_has_no_ratio() -> None:
    assert compare_runs([[row("closed", 0.0)]], [[row("closed", 1.0)]])[0].ratio is None


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout whose bench writes one row, or fails."""
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").touch()
    (tmp_path / "bench" / "__main__.py").write_text(
        "import pathlib, sys\n"
        "scenario, option, output = sys.argv[1], sys.argv[-2], sys.argv[-1]\n"
        "assert option == '--json'\n"
        "sys.exit(3) if scenario == 'broken' else None\n"
        'row = \'[{"scenario": "%s", "metric": "arguments", "value": %d, "unit": ""}]\'\n'
        "pathlib.Path(output).write_text(row % (scenario, len(sys.argv) - 3))\n"
    )
    return Checkout(tmp_path, Path(sys.executable))


def test_a_scenario_runs_in_its_checkout_with_its_options(checkout: Checkout) -> None:
    (found,) = checkout.measure("fanout --subscribers 100")
    assert ("fanout", 3.0) == (found.scenario, found.value)


def test_a_scenario_that_fails_is_reported_with_its_checkout(checkout: Checkout) -> None:
    with pytest.raises(RunFailed, match=f"`broken` in {checkout.folder} ended with code 3"):
        checkout.measure("broken")
