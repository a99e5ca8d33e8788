"""What `bench recordings` counts in a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.scenarios import recordings
from tests.support.builders import betfair_market, mcm

if TYPE_CHECKING:
    from pathlib import Path


def rows(runner: int, back: float, lay: float) -> dict[str, object]:
    return {"id": runner, "atb": [[back, 100]], "atl": [[lay, 100]]}


def counted(folder: Path, *messages: bytes) -> dict[str, int]:
    path = folder / "recorded.jsonl"
    path.write_bytes(b"\n".join(messages) + b"\n")
    return recordings._replay(path)


def test_a_sound_book_is_priced_under_its_lay(tmp_path: Path) -> None:
    market = betfair_market("1.1", marketType="WIN") | {"rc": [rows(11, 1.98, 2.02), rows(22, 1.98, 2.02)]}
    counts = counted(tmp_path, mcm(market), mcm({"id": "1.1", "rc": [{"id": 11, "atl": [[2.02, 0], [2.04, 50]]}]}, pt=2000))
    # The move of one shortens the other.
    assert 4 == counts["two-sided books"] == counts["sound"] == counts["priced"] == counts["open price states"]
    assert 0 == counts["over the source's best lay"] == counts["risk-free after commission"]


def test_books_that_contradict_each_other_are_not_sound(tmp_path: Path) -> None:
    market = betfair_market("1.1", marketType="WIN") | {"rc": [rows(11, 1.25, 1.27), rows(22, 1.25, 1.27)]}
    counts = counted(tmp_path, mcm(market))
    assert 2 == counts["two-sided books"]
    assert 0 == counts["sound"] == counts["priced"]


def test_absent_recordings_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no PRO-1\.170258213\.xz, .*name the folder"):
        recordings.recordings_in(tmp_path)
