"""Tests that are run in other processes: nothing that happens to one of them goes unreported."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.support.forks.parts import Parts

ROOT = Path(__file__).parents[3]
TESTS = """
import os, time, warnings
import pytest

@pytest.fixture(scope="session", autouse=True)
def servers():
    yield
    open(f"ended.{os.getpid()}", "w").close()

def test_passes(tmp_path):
    print("not shown")

def test_fails(tmp_path):
    print("shown")
    assert tmp_path is None

def test_dies():
    os._exit(3)

def test_goes_on():
    warnings.warn("a warning", UserWarning)

def test_skips():
    pytest.skip("a reason")

@pytest.mark.alone
def test_comes_last():
    assert [name for name in os.listdir() if name.startswith("ended.")]
"""


def test_every_outcome_is_reported(tmp_path: Path) -> None:
    (tmp_path / "test_first.py").write_text(TESTS)
    (tmp_path / "test_second.py").write_text("def test_passes(): pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = alone\naddopts = -p no:asyncio\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.forks.plugin", "--forks", "2", "-p", "no:cacheprovider"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert 1 == done.returncode, done.stdout + done.stderr
    assert re.search(r"2 failed, 4 passed, 1 skipped, 1 warning in", done.stdout), done.stdout
    assert "test_first.py::test_fails - " in done.stdout
    assert "the process that ran it ended with exit code 3" in done.stdout
    assert "UserWarning: a warning" in done.stdout
    assert "\nshown\n" in done.stdout
    assert "not shown" not in done.stdout


def test_a_process_stays_in_its_folder_and_helps_others_at_the_end() -> None:
    files = {"a/1": [0, 1], "a/2": [2], "a/3": [3], "b/1": [4], "c/1": [5]}
    parts = Parts((file[0], file, number) for file, numbers in files.items() for number in numbers)
    assert ("a", [0, 1]) == parts.take("")
    assert ("b", [4]) == parts.take("")
    assert ("a", [2]) == parts.take("a")
    assert ("c", [5]) == parts.take("b")
    assert ("a", [3]) == parts.take("c")
    assert parts.take("c") is None
    parts.put_back("a", [1])
    assert ("a", [1]) == parts.take("c")
    assert parts.take("a") is None
