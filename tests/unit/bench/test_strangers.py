"""Benchmarks for who has nothing but the repository: recordings by a seed, words for what is missing, one page of results."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from bench import __main__ as command
from bench.data import recordings as data
from bench.engines import breadth
from bench.reporting.row import Row
from bench.scenarios import recordings
from feeds.adapters.betfair.market_stream import MarketStream
from oddsengine.domain.feed_updates import UpdateBatch
from tests.support.processes.inside import logging_restored

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [
    Row(scenario="fan-out", metric="frames <b>", value=90_000, unit="frames/s", reference="C", ratio=0.9, goal=0.85, met=True),
    Row(scenario="fan-out", metric="late", value=3.0, unit="ms", goal=2.0, met=False),
]


def run(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> str | int | None:
    """Run a benchmark in this process. Return what it exits with."""
    monkeypatch.setattr(sys, "argv", ["bench", *map(str, words)])
    with logging_restored(), pytest.raises(SystemExit) as end:
        command.main()
    return end.value.code


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No recorded data, and a folder of one's own for what is made."""
    monkeypatch.setenv("ODDSENGINE_TEST_DATA", str(tmp_path / "nothing"))
    monkeypatch.setattr(data, "_FOLDER", tmp_path)
    monkeypatch.setattr(data, "_TICKS", 60)
    monkeypatch.setattr(breadth, "_MESSAGES", 100)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_recording_is_the_same_for_everybody_with_its_seed(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a", "b", "c")]
    for file, seed in zip(files, (1, 1, 2), strict=True):
        data.write_simulated(file, seed, ticks=60)
    one, same, other = (file.read_bytes() for file in files)
    assert one == same != other
    stream = MarketStream("betfair")
    events = [event for line in one.splitlines() for event in stream.read_line(line)]
    assert 28 <= sum(len(event.updates) for event in events if isinstance(event, UpdateBatch)), "seven markets of four matches"


def test_without_recorded_data_the_simulator_is_replayed(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = recordings.recordings_in(None)
    assert ["simulated-1.jsonl", "simulated-2.jsonl", "simulated-3.jsonl"] == [path.name for path in paths]
    rows = {(row.scenario, row.metric): row for row in recordings.run(paths[:1])}
    assert rows["simulated-1", "open price states"].value > 100
    assert rows["simulated-1", "over the source's best lay"].met
    out = nothing / "results" / "pipeline.json"
    assert 0 == run(monkeypatch, "pipeline", "--rounds", "1", "--markets", "500", "--json", out)
    assert "full pipeline" in out.read_text()


@pytest.mark.parametrize(
    ("package", "module", "words"),
    [
        ("betfairlightweight", "bench.scenarios.pipeline", ("pipeline",)),
        ("shin", "bench.scenarios.pricing", ("pricing",)),
        ("matplotlib", "bench.reporting.page", ("report", "rows.json")),
    ],
)
def test_a_package_that_is_missing_is_named(
    package: str, module: str, words: tuple[str, ...], nothing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nothing / "rows.json").write_bytes(msgspec.json.encode(ROWS))
    for name in [name for name in sys.modules if name == module or name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    assert f"error: the package {package} is not installed: `make bench`" in str(run(monkeypatch, *words))


def test_what_can_not_be_read_is_named(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nothing / "none.json").write_text("{}")
    for words, problem in (
        (("pipeline", "gone"), "gone is not there"),
        (("ingest", "gone"), "gone is not there"),
        (("recordings", "gone"), "gone/betfair has no PRO"),
        (("calibration", "gone"), "football-data.co.uk"),
        (("report", "gone.json"), "gone.json: No such file"),
        (("report", "none.json"), "has no results of a benchmark"),
        (("report", "."), "has no results of a benchmark"),
    ):
        assert problem in str(run(monkeypatch, *words)), words
    assert 2 == run(monkeypatch, "suite", "fanuot")


def test_one_page_has_tables_plots_and_what_is_missed(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    for name in ("fanout", "again"):
        (nothing / f"{name}.json").write_bytes(msgspec.json.encode(ROWS))
    assert 0 == run(monkeypatch, "report", ".", "--out", "page/index.html")
    page = (nothing / "page" / "index.html").read_text()
    assert "2 of 4 goals met" in page
    assert 2 == page.count("data:image/png;base64,") == page.count("<tr class=missed>")
    assert "frames &lt;b&gt;" in page
    assert "://" not in page, "it needs nothing from elsewhere"
