"""`oddsengine reprice` of a short recording, against another config and against a history."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest

from oddsengine.cli.repricing.table import print_tables
from oddsengine.repricing.report import Report
from tests.support.processes.inside import called
from tests.support.providers.simulated import START_MS, record_simulator

if TYPE_CHECKING:
    from pathlib import Path

OLD = "[profiles.default]\nbook_sum = 1.05\n"
NEW = "[profiles.default]\nbook_sum = 1.09\n[profiles.vip]\nbook_sum = 1.03\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording, and the configs of then and now."""
    folder = tmp_path_factory.mktemp("reprice")
    record_simulator(folder / "recording", ticks=75, matches=1)
    for name, text in (("old.toml", OLD), ("new.toml", NEW)):
        (folder / name).write_text(text)
    return folder


def repriced(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    result = called("reprice", folder / "recording", "--json", *arguments)
    assert 0 == result.returncode, result.stderr
    found: dict[str, Any] = orjson.loads(result.stdout)
    return found


def test_a_config_compared_with_itself_differs_in_nothing(folder: Path) -> None:
    found = repriced(folder, "--config", folder / "old.toml", "--against", folder / "old.toml")
    assert {"all", "match_odds", "total"} <= {line["type"] for line in found["lines"]}
    for line in found["lines"]:
        assert line["both_open_s"] == line["open_s"]["then"] > 0, line
        assert (0, 0, None) == tuple(line["price"].values())
        figures = [figure for figure in line.values() if isinstance(figure, dict) and "change" in figure]
        assert 7 == len(figures)
        assert all(not figure["change"] for figure in figures), line
        assert line["reasons"]["then"] == line["reasons"]["new"]


def test_a_greater_margin_shows_in_figures_tables_and_plot_twice_alike(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot = folder / "plot.svg"
    arguments = (
        "--config",
        folder / "new.toml",
        "--against",
        folder / "old.toml",
        "--profile",
        "default",
        "--from",
        "2023-11-14T22:13:22Z",
    )
    found = repriced(folder, *arguments)
    assert found["from_ms"] == START_MS + 2000
    (of_all, *_) = found["lines"]
    assert 0.03 < of_all["book_sum"]["change"] < 0.05
    assert of_all["price"]["mean"] < -0.02
    assert of_all["hold"]["change"] > 0
    assert of_all["hold_markets"] > 0
    # matplotlib is not among what tests need.
    drawn = called("reprice", folder / "recording", *arguments, "--json", "--plot", plot)
    if find_spec("matplotlib") is None:
        assert (1, True) == (drawn.returncode, "pip install matplotlib" in drawn.stderr)
    else:
        assert (0, found, True) == (drawn.returncode, orjson.loads(drawn.stdout), b"<svg" in plot.read_bytes())
    print_tables(msgspec.convert(found, Report))
    printed = capsys.readouterr().out
    assert "profile default" in printed
    assert all(line["type"] in printed for line in found["lines"])


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("--against", "old.toml"), 1, "there is no profile 'vip' in --against; there are: default"),
        ((), 2, "the config has no history to compare with"),
        (("--against", "old.toml", "--profile", "gold"), 2, "no profile 'gold' in the config; configured: default, vip"),
        (("--against", "old.toml", "--from", "2026-01-02", "--to", "2026-01-01"), 2, "is not before --to"),
        (("--against", "old.toml", "--plot", "plot.txt"), 1, "a file that ends with .png, .svg, .pdf"),
        (
            ("--against", "old.toml", "--profile", "default", "--from", "2026-01-02"),
            1,
            "the recordings have nothing of this time",
        ),
    ],
)
def test_what_can_not_be_compared_is_said(folder: Path, arguments: tuple[str, ...], code: int, text: str) -> None:
    given = [folder / each if each.endswith(".toml") else each for each in arguments]
    result = called("reprice", folder / "recording", "--config", folder / "new.toml", *given)
    assert code == result.returncode
    assert text in " ".join(result.stderr.replace("│", " ").split())
